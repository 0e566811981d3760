# Bash completion of troupe's commands, their options and the names of objects.
# shellcheck shell=bash
#
# Nothing that was typed is ever run: `troupe` itself is asked, with words that
# stand below, for help or for a list.

# Those of the words that begin like what is typed. Not `compgen -W`, which
# would expand them.
_troupe_offer() {
  local word
  for word in "$@"; do
    [[ "$word" == "$cur"* ]] && COMPREPLY+=("$word")
  done
}

# _troupe_ask ARGUMENT...: offers each line of the answer.
_troupe_ask() {
  local lines
  mapfile -t lines < <(command troupe --timeout 2 "$@" 2>/dev/null </dev/null)
  _troupe_offer "${lines[@]}"
}

_troupe_names() {
  _troupe_ask "$1" ls --format name
}

# The options of a command, as its help lists them.
_troupe_options() {
  local words
  mapfile -t words < <(command troupe "$@" --help 2>/dev/null </dev/null \
    | grep -oE -- '(^|[ ,])--?[A-Za-z][A-Za-z0-9-]*' | tr -d ' ,' | sort -u)
  _troupe_offer "${words[@]}"
}

_troupe_files() {
  compopt -o default 2>/dev/null
}

# The value of an option that takes one of a known kind.
_troupe_value() {
  case "$1" in
    --format | --output) _troupe_offer table json name ;;
    --on) _troupe_ask fault points --format name ;;
    -d | --driver) _troupe_offer bridge host null ;;
    --filter)
      compopt -o nospace 2>/dev/null
      _troupe_offer name= id= driver= network= label=
      ;;
    --state-dir | --run-dir | --netns | --file | --tls-cert | --tls-key \
      | --tls-ca | --conf-dir | --bin-dir) _troupe_files ;;
    --host | --timeout | -n | --count) ;; # Nothing to offer, but a value.
    *) return 1 ;;
  esac
}

# The next word of a command, after those that are no options.
_troupe_word() {
  local noun="${plain[0]:-}" verb="${plain[1]:-}"
  case "${#plain[@]}:$noun:$verb" in
    0:*)
      _troupe_offer network endpoint sandbox join leave attach detach publish \
        unpublish status doctor check events fault cni
      ;;
    1:network:) _troupe_offer create ls inspect rm prune ;;
    1:endpoint:) _troupe_offer create ls inspect rm ;;
    1:sandbox:) _troupe_offer create ls inspect rm exec ;;
    1:fault:) _troupe_offer points add ls clear log ;;
    1:cni:) _troupe_offer install ;;
    1:attach:* | 1:detach:*) _troupe_names network ;;
    1:join:* | 1:leave:* | 1:publish:* | 1:unpublish:*)
      _troupe_names endpoint
      ;;
    2:attach:* | 2:detach:* | 2:join:*) _troupe_names sandbox ;;
    *:network:inspect | *:network:rm | 2:endpoint:create | 2:endpoint:ls)
      _troupe_names network
      ;;
    *:endpoint:inspect | *:endpoint:rm) _troupe_names endpoint ;;
    *:sandbox:inspect | *:sandbox:rm | 2:sandbox:exec)
      _troupe_names sandbox
      ;;
    *:fault:clear) _troupe_ask fault ls --format name ;;
    2:fault:add)
      _troupe_offer kernel-{fail,lose-reply,delay,crash-before,crash-after} \
        store-{full,io-error,lose-reply,delay,crash-before,crash-after} \
        request-{lose-reply,crash-before,crash-after}
      ;;
  esac
}

_troupe() {
  local cur="${COMP_WORDS[COMP_CWORD]}"
  local previous="${COMP_WORDS[COMP_CWORD - 1]}"
  local plain=() i
  COMPREPLY=()
  # The words that are no options and no values of global ones.
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "${COMP_WORDS[i]}" in
      --host | --timeout | --tls-cert | --tls-key | --tls-ca) ((++i)) ;;
      -*) ;;
      *) plain+=("${COMP_WORDS[i]}") ;;
    esac
  done
  # What follows the sandbox's name is somebody else's command.
  if [[ "${plain[*]:0:2}" == "sandbox exec" && ${#plain[@]} -gt 2 ]]; then
    _troupe_files
    return
  fi
  _troupe_value "$previous" && return
  if [[ "$cur" != -* ]]; then
    _troupe_word
    return
  fi
  case "${plain[*]:0:2}" in
    "network create" | "network ls" | "network inspect" | "network rm" \
      | "network prune" | "endpoint create" | "endpoint ls" \
      | "endpoint inspect" | "endpoint rm" | "sandbox create" | "sandbox ls" \
      | "sandbox inspect" | "sandbox rm" | "sandbox exec" | "fault points" \
      | "fault add" | "fault ls" | "fault clear" | "fault log")
      _troupe_options "${plain[@]:0:2}"
      return
      ;;
  esac
  case "${plain[0]:-}" in
    join | leave | attach | detach | publish | unpublish | status | doctor \
      | check | events) _troupe_options "${plain[0]}" ;;
    "") _troupe_options ;;
  esac
}

complete -F _troupe troupe
