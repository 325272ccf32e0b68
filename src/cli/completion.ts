/** Completion scripts of shells, made from the tree of commands. */
import type { Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface CompletedOption {
  flag: string;
  description: string;
  takesValue: boolean;
  /** Values that it may have; empty if any. */
  choices: readonly string[];
}

interface CompletedCommand {
  name: string;
  description: string;
  options: CompletedOption[];
  /** Words that may stand behind it: sub-commands, or the choices of its argument. */
  words: readonly string[];
}

const optionOf = ({ long, short, description, required, optional, argChoices }: Option) => ({
  flag: long ?? short!,
  description,
  takesValue: required || optional,
  choices: argChoices ?? [],
});

const help: CompletedOption = {
  flag: '--help',
  description: 'display help for command',
  takesValue: false,
  choices: [],
};

function commandsOf(program: Command): CompletedCommand[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: [
      ...[command, ...command.commands].flatMap(({ options }) => options.map(optionOf)),
      help,
    ],
    words: [
      ...command.commands.map((one) => one.name()),
      ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    ],
  }));
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ name, options, words }) => {
    const chosen = options.filter(({ choices }) => choices.length > 0);
    const free = options.filter(({ takesValue, choices }) => takesValue && choices.length === 0);
    return [
      `    ${name})`,
      '      case $before in',
      ...chosen.map(
        ({ flag, choices }) => `        ${flag}) words=${quoted(choices.join(' '))} ;;`,
      ),
      ...(free.length === 0
        ? []
        : [`        ${free.map(({ flag }) => flag).join('|')}) words= ;;`]),
      `        *) words=${quoted([...words, ...options.map(({ flag }) => flag)].join(' '))} ;;`,
      '      esac ;;',
    ].join('\n');
  });
  const names = commands.map(({ name }) => name).join(' ');
  return `# Completion of sae-eval in bash: source <(sae-eval completion bash)
_sae_eval() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} words=
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  if ((COMP_CWORD == 1)); then words=${quoted(`${names} --help --version`)}; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o bashdefault -o default -F _sae_eval sae-eval
`;
}

function zsh(commands: readonly CompletedCommand[]): string {
  const inBrackets = (text: string): string => text.replace(/[\\[\]:]/g, '\\$&');
  const cases = commands.map(({ name, options, words }) => {
    const specs = options.map(({ flag, description, takesValue, choices }) => {
      const values = choices.length > 0 ? `(${choices.join(' ')})` : '_files';
      const value = takesValue ? `:value:${values}` : '';
      return quoted(`*${flag}[${inBrackets(description)}]${value}`);
    });
    const rest = quoted(words.length > 0 ? `*:word:(${words.join(' ')})` : '*:file:_files');
    return `    ${name}) _arguments ${[...specs, rest].join(' ')} ;;`;
  });
  const described = commands.map(({ name, description }) =>
    quoted(`${name}:${description.replaceAll(':', '\\:')}`),
  );
  return `#compdef sae-eval
# Completion of sae-eval in zsh: source <(sae-eval completion zsh)
_sae_eval() {
  local -a commands=(${described.join(' ')})
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local name=$words[2]
  shift words
  ((CURRENT--))
  case $name in
${cases.join('\n')}
  esac
}
compdef _sae_eval sae-eval
`;
}

function fish(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, description, options, words }) => {
    const within = `complete -c sae-eval -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c sae-eval -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
      ...(words.length === 0 ? [] : [`${within} -f -a ${quoted(words.join(' '))}`]),
      ...options.map(
        ({ flag, description: what, takesValue, choices }) =>
          `${within} -l ${flag.replace(/^--/, '')}${takesValue ? ' -r' : ''}` +
          `${choices.length === 0 ? '' : ` -f -a ${quoted(choices.join(' '))}`} -d ${quoted(what)}`,
      ),
    ];
  });
  const head = '# Completion of sae-eval in fish: sae-eval completion fish | source';
  return `${[head, ...lines].join('\n')}\n`;
}

/** The script that completes the commands of a program in a shell. */
export function completionScript(program: Command, shell: Shell): string {
  return { bash, zsh, fish }[shell](commandsOf(program));
}
