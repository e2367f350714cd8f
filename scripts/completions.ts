import type { Command, Option } from 'commander';

/** The completion scripts, made from the command line's description of itself. */
export const shells = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** A place on the command line where something can be completed. */
interface Place {
  /** The commands before it, e.g. `['config', 'eval']`. */
  readonly path: readonly string[];
  readonly commands: readonly Word[];
  readonly options: readonly Option[];
  /** The values of the first argument, if it is a choice. */
  readonly choices: readonly string[];
}

interface Word {
  readonly word: string;
  readonly description: string;
}

function placesOf(command: Command, path: readonly string[] = []): Place[] {
  const help = command.createHelp();
  const below = help.visibleCommands(command).filter((one) => one.name() !== 'help');
  return [
    {
      path,
      commands: below.map((one) => ({ word: one.name(), description: one.description() })),
      options: help.visibleOptions(command),
      choices: command.registeredArguments[0]?.argChoices ?? [],
    },
    ...below.flatMap((one) => placesOf(one, [...path, one.name()])),
  ];
}

function optionWords(options: readonly Option[]): Word[] {
  return options.map(({ long, short, description }) => ({
    word: long ?? short ?? '',
    description,
  }));
}

/** The flags of options that take a value, with the values if they are a choice. */
function valued(places: readonly Place[]): Map<string, readonly string[]> {
  const values = new Map<string, readonly string[]>();
  for (const option of places.flatMap((place) => place.options)) {
    if (option.isBoolean()) continue;
    for (const flag of [option.long, option.short]) {
      if (flag !== undefined) values.set(flag, option.argChoices ?? []);
    }
  }
  return values;
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const words = (list: readonly Word[]) => list.map(({ word }) => word).join(' ');

/** Shell code that sets `path` to the commands before the cursor. */
function findPath(places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path.length > 0);
  return `case "$path $word" in
      ${paths.map(({ path }) => quoted(` ${path.join(' ')}`)).join('|')}) path="$path $word" ;;
    esac`;
}

function bashScript(program: Command): string {
  const places = placesOf(program);
  const choices = [...valued(places)].map(
    ([flag, values]) =>
      `    ${flag}) ${values.length > 0 ? `COMPREPLY=($(compgen -W ${quoted(values.join(' '))} -- "$cur")); ` : ''}return ;;`,
  );
  const replies = places.map(({ path, commands, options, choices }) => {
    const plain = [...commands.map(({ word }) => word), ...choices].join(' ');
    return `    ${quoted(path.map((word) => ` ${word}`).join(''))}) options=${quoted(words(optionWords(options)))} words=${quoted(plain)} ;;`;
  });
  return `# bash completion of clickmilter
_clickmilter() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path='' word options words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    ${findPath(places)}
  done
  COMPREPLY=()
  # The value of an option: one of a choice, or what the shell offers, such as files.
  case \${COMP_WORDS[COMP_CWORD-1]} in
${choices.join('\n')}
  esac
  case $path in
${replies.join('\n')}
  esac
  if [[ $cur == -* ]]; then words=$options; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _clickmilter clickmilter
`;
}

function zshScript(program: Command): string {
  const places = placesOf(program);
  const pair = ({ word, description }: Word) =>
    quoted(`${word}:${description.replaceAll(':', '\\:')}`);
  const choices = [...valued(places)].map(
    ([flag, values]) =>
      `    (${flag}) ${values.length > 0 ? `compadd -- ${values.map(quoted).join(' ')}` : '_files'}; return ;;`,
  );
  const replies = places.map(({ path, commands, options, choices }) => {
    const plain = [...commands, ...choices.map((word) => ({ word, description: '' }))];
    return `    (${quoted(path.map((word) => ` ${word}`).join(''))})
      options=(${optionWords(options).map(pair).join(' ')})
      candidates=(${plain.map(pair).join(' ')}) ;;`;
  });
  return `#compdef clickmilter
_clickmilter() {
  local path_='' word
  local -a options candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
    ${findPath(places).replaceAll('$path', '$path_').replaceAll('path=', 'path_=')}
  done
  case \${words[CURRENT-1]} in
${choices.join('\n')}
  esac
  case $path_ in
${replies.join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe option options
  elif (( $#candidates )); then
    _describe command candidates
  else
    _files
  fi
}
_clickmilter "$@"
`;
}

function fishScript(program: Command): string {
  const lines = placesOf(program).flatMap(({ path, commands, options, choices }) => {
    const below = commands.map(({ word }) => word);
    const conditions = [
      ...path.map((word) => `__fish_seen_subcommand_from ${word}`),
      ...(below.length > 0 ? [`not __fish_seen_subcommand_from ${below.join(' ')}`] : []),
    ];
    const where = conditions.length > 0 ? ` -n ${quoted(conditions.join('; and '))}` : '';
    const start = `complete -c clickmilter${where}`;
    return [
      ...commands.map(
        ({ word, description }) => `${start} -f -a ${word} -d ${quoted(description)}`,
      ),
      ...choices.map((word) => `${start} -f -a ${word}`),
      ...options.map((option) => `${start}${fishOption(option)} -d ${quoted(option.description)}`),
    ];
  });
  return `# fish completion of clickmilter\n${lines.join('\n')}\n`;
}

function fishOption(option: Option): string {
  const short = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`;
  const long = option.long === undefined ? '' : ` -l ${option.long.slice(2)}`;
  if (option.isBoolean()) return `${short}${long}`;
  const values =
    option.argChoices === undefined ? '' : ` -f -a ${quoted(option.argChoices.join(' '))}`;
  return `${short}${long} -r${values}`;
}
