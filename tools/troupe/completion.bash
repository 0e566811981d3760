# Bash completion of troupe; `troupe completion bash` prints this file.
# shellcheck shell=bash
#
# Nothing that was typed is ever run: `troupe` itself is asked what may stand
# there, in `troupe __complete WORD...`, with the words as text.

_troupe() {
  local words=() lines=() line cur prefix i
  COMPREPLY=()
  # Bash cuts words at `=` and `:`; troupe does not.
  for ((i = 1; i <= COMP_CWORD; ++i)); do
    line="${COMP_WORDS[i]}"
    if ((${#words[@]} > 0)) \
      && [[ "$line" =~ ^[=:]+$ || "${COMP_WORDS[i - 1]}" =~ ^[=:]+$ ]]; then
      words[-1]+="$line"
    else
      words+=("$line")
    fi
  done
  cur="${words[-1]}"
  prefix="${cur%"${cur##*[=:]}"}"
  mapfile -t lines < <(command troupe __complete "${words[@]}" \
    2>/dev/null </dev/null)
  for line in "${lines[@]}"; do
    case "$line" in
      :files) compopt -o default 2>/dev/null ;;
      :nospace) compopt -o nospace 2>/dev/null ;;
      :*) ;;
      *)
        line="${line%%$'\t'*}"
        COMPREPLY+=("${line#"$prefix"}")
        ;;
    esac
  done
}

complete -F _troupe troupe
