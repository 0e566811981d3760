# Completion of troupe's commands and of the names of objects.

_troupe_names() {
  local noun="$1"
  COMPREPLY+=($(compgen -W "$(troupe --timeout 2 "$noun" ls --format name 2>/dev/null)" -- "$cur"))
}

# The option that precedes the cursor and takes a value of a known kind.
_troupe_value() {
  case "$1" in
    --format) COMPREPLY=($(compgen -W "table json name" -- "$cur")) ;;
    --on) COMPREPLY=($(compgen -W "$(troupe --timeout 2 fault points --format name 2>/dev/null)" -- "$cur")) ;;
    --state-dir | --run-dir) COMPREPLY=($(compgen -d -- "$cur")) ;;
    --netns | --file | --tls-cert | --tls-key | --tls-ca) COMPREPLY=($(compgen -f -- "$cur")) ;;
    -d | --driver) COMPREPLY=($(compgen -W "bridge host null" -- "$cur")) ;;
    --filter) COMPREPLY=($(compgen -W "name= id= driver= network= label=" -S "" -- "$cur")) ;;
    *) return 1 ;;
  esac
}

_troupe() {
  local cur="${COMP_WORDS[COMP_CWORD]}"
  local prev="${COMP_WORDS[COMP_CWORD - 1]}"
  COMPREPLY=()
  _troupe_value "$prev" && return
  if [[ "$cur" == -* ]]; then
    local words=("${COMP_WORDS[@]:0:COMP_CWORD}")
    COMPREPLY=($(compgen -W "$("${words[@]}" --help 2>/dev/null | grep -oE -- '(^|[ ,])--?[a-z][a-z0-9-]*' | tr -d ' ,')" -- "$cur"))
    return
  fi
  case "$COMP_CWORD:${COMP_WORDS[1]}:${COMP_WORDS[2]:-}" in
    1:*) COMPREPLY=($(compgen -W "network endpoint sandbox join leave attach detach publish unpublish status doctor check events fault" -- "$cur")) ;;
    2:network:*) COMPREPLY=($(compgen -W "create ls inspect rm prune" -- "$cur")) ;;
    2:fault:*) COMPREPLY=($(compgen -W "points add ls clear log" -- "$cur")) ;;
    3:fault:add) COMPREPLY=($(compgen -W "kernel-fail kernel-lose-reply kernel-delay kernel-crash-before kernel-crash-after store-full store-io-error store-lose-reply store-delay store-crash-before store-crash-after request-lose-reply request-crash-before request-crash-after" -- "$cur")) ;;
    *:fault:clear) COMPREPLY=($(compgen -W "$(troupe --timeout 2 fault ls --format name 2>/dev/null)" -- "$cur")) ;;
    2:endpoint:*) COMPREPLY=($(compgen -W "create ls inspect rm" -- "$cur")) ;;
    2:sandbox:*) COMPREPLY=($(compgen -W "create ls inspect rm exec" -- "$cur")) ;;
    *:network:inspect | *:network:rm | 3:endpoint:create | 3:endpoint:ls) _troupe_names network ;;
    3:endpoint:inspect | 3:endpoint:rm | 2:join:* | 2:leave:*) _troupe_names endpoint ;;
    *:sandbox:inspect | *:sandbox:rm | 3:sandbox:exec | 3:join:* | 3:attach:* | 3:detach:*) _troupe_names sandbox ;;
    2:attach:* | 2:detach:*) _troupe_names network ;;
  esac
}

complete -F _troupe troupe
