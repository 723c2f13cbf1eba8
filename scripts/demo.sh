#!/bin/sh
# June's main job on this machine: a voice note goes in, a spoken answer comes out.
# Usage: scripts/demo.sh [note.ogg] [--tiny] [options of talk]
#   note.ogg  your own recording, in any audio format; without it, demo/question.ogg is asked
#   --tiny    the language model SmolLM2 135M (98 MB, often wrong) instead of Qwen2.5-Coder 0.5B (491 MB)
# The answer goes to answer.ogg. The first run fetches what is missing; later runs need no network.
set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)

models=embedded
note="$repository/demo/question.ogg"
case "${1:-}" in
    "" | -*) ;;
    *)
        note=$1
        shift
        ;;
esac
for argument in "$@"; do
    shift
    case "$argument" in
        -h | --help)
            sed -n '2,6s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        --tiny)
            models=tiny
            export LLM_URL=llamacpp:smollm2-135m-instruct
            ;;
        *) set -- "$@" "$argument" ;;
    esac
done
if [ ! -f "$note" ]; then
    echo "demo: there is no file $note" >&2
    exit 2
fi

"$repository/scripts/setup.sh"
"$repository/.venv/bin/python" -m essence download-models --set "$models"
cat <<'END'
These small models run on any machine, for trying things out; what they say is often wrong. For real use, point
LLM_URL at a large model behind any OpenAI-compatible server, such as LLM_URL=http://localhost:11434/v1

END
exec "$repository/.venv/bin/python" -m essence talk "$note" "$@"
