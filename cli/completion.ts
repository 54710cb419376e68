/** Completion for bash, made from the commands themselves. */
import type { Command } from 'commander';

type Known = { path: string; words: string[] };

function known(command: Command, path = ''): Known[] {
  const options = command.options.flatMap(({ long }) => long ?? []);
  const words = [...command.commands.map((one) => one.name()), ...options, '--help'];
  return [{ path, words }, ...command.commands.flatMap((one) => known(one, `${path} ${one.name()}`))];
}

/** Names are ours: letters, digits and dashes. Where nothing of ours fits, bash completes file names. */
export function bashCompletion(program: Command): string {
  const all = known(program);
  const paths = all.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  const cases = all.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`);
  return `_lading() {
  local at="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at $word" in
      ${paths.join(' | ')}) at="$at $word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _lading lading
`;
}
