_jeprof__compat() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="jeprof__compat"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        jeprof__compat)
            opts="-h -V --cum --base --interactive --seconds --add_lib --lib_prefix --addresses --lines --functions --files --text --callgrind --gv --evince --web --list --weblist --disasm --symbols --dot --ps --pdf --svg --gif --png --raw --collapsed --inuse_space --inuse_objects --alloc_space --alloc_objects --show_bytes --drop_negative --kind --total_delay --contentions --mean_delay --nodecount --nodefraction --edgefraction --maxdegree --focus --thread --ignore --scale --heapcheck --retain --exclude --full-names --tools --test --debug-syms-by-id --debug --test_stride --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --base)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --seconds)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --add_lib)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --lib_prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --list)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --weblist)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --disasm)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --kind)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nodecount)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nodefraction)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --edgefraction)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --maxdegree)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --focus)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --thread)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ignore)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --scale)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --retain)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --exclude)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tools)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --test_stride)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _jeprof__compat -o nosort -o bashdefault -o default jeprof-compat
else
    complete -F _jeprof__compat -o bashdefault -o default jeprof-compat
fi
