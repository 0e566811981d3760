# Fish completion of troupe; `troupe completion fish` prints this file.
#
# Nothing that was typed is ever run: `troupe` itself is asked what may stand
# there, in `troupe __complete WORD...`, with the words as text.

function __troupe_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (command troupe __complete $words[2..-1] 2>/dev/null </dev/null)
        switch $line
            case ':files'
                __fish_complete_path (commandline -ct)
            case ':*'
            case '*'
                echo $line
        end
    end
end

complete -c troupe -f -a '(__troupe_complete)'
