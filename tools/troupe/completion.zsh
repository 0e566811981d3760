#compdef troupe
# Zsh completion of troupe; `troupe completion zsh` prints this file.
#
# Nothing that was typed is ever run: `troupe` itself is asked what may stand
# there, in `troupe __complete WORD...`, with the words as text.

_troupe() {
  local line word
  local -a lines offers end
  lines=("${(@f)$(command troupe __complete "${(@Q)words[2,CURRENT]}" \
    2>/dev/null </dev/null)}")
  for line in "${lines[@]}"; do
    case "$line" in
      (:files) _files; return ;;
      (:nospace) end=(-S '') ;;
      (''|:*) ;;
      (*)
        word="${line%%$'\t'*}"
        offers+=("${word//:/\\:}:${line#"$word"$'\t'}")
        ;;
    esac
  done
  _describe -V troupe offers "${end[@]}"
}

if [[ "$funcstack[1]" == _troupe ]]; then
  _troupe "$@"
else
  compdef _troupe troupe
fi
