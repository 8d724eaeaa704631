#!/bin/sh
# test_completions.sh: completions and the manual page know every command and flag of the help, and
# the shells take them.
. "$(dirname "$0")/common.sh"

for kind in bash zsh fish man; do
    run "$IMGRET" completions $kind
    check "completions $kind" '[ $status -eq 0 ] && [ -s out ] && [ ! -s err ]'
    cp out imgret.$kind
done
run "$IMGRET" completions tcsh
check "another shell is an error that names it" '[ $status -eq 2 ] && grep -q tcsh err'
run "$IMGRET" completions
check "no shell is an error" '[ $status -eq 2 ] && grep -q "no shell given" err'

"$IMGRET" help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p' > commands
check "the help lists commands" '[ "$(wc -l < commands)" -ge 15 ]'
for command in $(cat commands); do
    "$IMGRET" help "$command" | sed -n 's/^  ....--\([a-z-]*\).*/\1/p'
done | sort -u > flags
check "and flags" '[ "$(wc -l < flags)" -ge 40 ]'
for kind in bash zsh fish man; do
    knows_all() {
        sed 's/\\-/-/g' imgret.$kind > plain
        for word in $(cat commands flags); do
            grep -q -e "[^a-z-]$word\([^a-z-]\|\$\)" -e "--$word\([^a-z-]\|\$\)" plain ||
                { echo "# $kind lacks $word"; return 1; }
        done
    }
    check "$kind knows every command and flag" knows_all
done

if command -v bash > /dev/null; then
    check "bash reads it" 'bash -n imgret.bash'
    cat > ask.bash <<'END'
source ./imgret.bash
COMP_WORDS=(imgret "$@") COMP_CWORD=$#
_imgret 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
END
    check "bash completes a command" '[ "$(bash ask.bash sea)" = search ]'
    check "a flag of that command" '[ "$(bash ask.bash search db --min)" = --min-score ]'
    check "no flag of another" '[ -z "$(bash ask.bash count db --html)" ]'
    check "the value of a choice" '[ "$(bash ask.bash create db --metric c)" = cosine ]'
    mkdir "a folder"
    check "a path with a space" '[ "$(bash ask.bash add "a f")" = "a folder" ]'
    check "the words of completions" '[ "$(bash ask.bash completions f)" = fish ]'
    check "a command after help" '[ "$(bash ask.bash help rem)" = remove ]'
else
    skip "bash completes" "bash is missing"
fi
if command -v zsh > /dev/null; then
    check "zsh reads it" 'zsh -n imgret.zsh'
    cat > ask.zsh <<'END'
zmodload zsh/zpty || exit 3
zpty asked zsh -f -i
ask() { # what is typed: prints what appears
    zpty -w asked 'PS1= ; autoload -U compinit; compinit -u -D; source ./imgret.zsh; zstyle ":completion:*" menu no'
    zpty -w -n asked "$1"$'\t'
    zpty -w -n asked $'\x01print -r -- DONE: \x05\n'
    local line seen=
    while zpty -r -t asked line 2>/dev/null || sleep 0.2; do
        seen+=$line
        [[ $seen == *$'\n'"DONE: "*$'\r'* || $((++tries)) -gt 100 ]] && break
    done
    print -r -- "$seen"
}
ask "$1"
zpty -d asked
END
    zsh -f ask.zsh 'imgret sea' > zsh.seen 2> zsh.err
    zsh -f ask.zsh 'imgret search db --min-s' > zsh.flag 2>> zsh.err
    check "zsh completes a command" 'grep -q "DONE: imgret search *.\$" zsh.seen'
    check "and a flag of it" 'grep -q "DONE: imgret search db --min-score *.\$" zsh.flag'
else
    skip "zsh reads it" "zsh is missing"
fi
if command -v fish > /dev/null; then
    ask_fish() { HOME=$work fish --no-config -c "source imgret.fish; complete -C '$1'" 2> fish.err | cut -f 1; }
    check "fish reads it" 'HOME=$work fish -n imgret.fish'
    check "fish completes a command" '[ "$(ask_fish "imgret sea")" = search ]'
    check "a flag of that command" '[ "$(ask_fish "imgret search db --min")" = --min-score ]'
    check "no flag of another" '[ -z "$(ask_fish "imgret count db --html")" ]'
    check "the value of a choice" '[ "$(ask_fish "imgret create db --metric c")" = cosine ]'
else
    skip "fish reads it" "fish is missing"
fi
finish
