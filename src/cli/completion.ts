/** `everleaf completion bash|zsh|fish`: a script for the shell, made from the commands themselves. */
import { Argument, type Command } from 'commander';
import type { Terminal } from './terminal.ts';

interface Words {
  /** '' for the top, 'principal', 'principal suspend', … */
  readonly path: string;
  readonly words: readonly string[];
}

/** What may follow each path of nouns and verbs. */
const wordsOf = (command: Command, path = ''): Words[] => {
  const options = command.options.flatMap(({ long, hidden }) => (long && !hidden ? [long] : []));
  const commands = command.commands.map((inner) => inner.name());
  return [
    { path, words: [...commands, ...options] },
    ...command.commands.flatMap((inner) => wordsOf(inner, path === '' ? inner.name() : `${path} ${inner.name()}`)),
  ];
};

const cases = (program: Command): string => {
  const [top, ...rest] = wordsOf(program);
  const global = (top?.words ?? []).filter((word) => word.startsWith('--')).join(' ');
  return [
    ...rest.map(({ path, words }) => `    '${path}') words='${words.join(' ')} ${global}' ;;`),
    `    *) words='${(top?.words ?? []).join(' ')}' ;;`,
  ].join('\n');
};

const nounsOf = (program: Command): string => program.commands.map((command) => command.name()).join('|');

const bash = (program: Command): string => `# everleaf: source <(everleaf completion bash)
_everleaf() {
  local current=\${COMP_WORDS[COMP_CWORD]} path='' word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path" in
      '') case "$word" in ${nounsOf(program)}) path=$word ;; esac ;;
      *' '*) ;;
      *) case "$word" in -*) ;; *) path="$path $word" ;; esac ;;
    esac
  done
  case "$path" in
${cases(program)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _everleaf everleaf
`;

const zsh = (program: Command): string => `#compdef everleaf
# everleaf: source <(everleaf completion zsh)
_everleaf() {
  # 'path' and 'words' are zsh's own, hence 'spot' and 'offer'.
  local spot='' word offer
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$spot" in
      '') case "$word" in ${nounsOf(program)}) spot=$word ;; esac ;;
      *' '*) ;;
      *) case "$word" in -*) ;; *) spot="$spot $word" ;; esac ;;
    esac
  done
  case "$spot" in
${cases(program).replaceAll('words=', 'offer=')}
  esac
  compadd -- \${(s: :)offer}
  _files
}
compdef _everleaf everleaf
`;

const fish = (program: Command): string => {
  const seen = (path: string) =>
    path
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ');
  return [
    '# everleaf: everleaf completion fish | source',
    ...wordsOf(program).flatMap(({ path, words }) => {
      const nouns = words.filter((word) => !word.startsWith('--'));
      const condition = path === '' ? '__fish_use_subcommand' : seen(path);
      return [
        ...(nouns.length > 0 ? [`complete -c everleaf -f -n '${condition}' -a '${nouns.join(' ')}'`] : []),
        ...words
          .filter((word) => word.startsWith('--'))
          .map((word) => `complete -c everleaf${path === '' ? '' : ` -n '${condition}'`} -l ${word.slice(2)}`),
      ];
    }),
    '',
  ].join('\n');
};

/** Adds the command. */
export const addCompletion = (program: Command, terminal: Terminal): void => {
  const scripts = { bash, zsh, fish };
  program
    .command('completion')
    .description('print a completion script for your shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(Object.keys(scripts)))
    .action((shell: keyof typeof scripts) => terminal.out(scripts[shell](program)));
};
