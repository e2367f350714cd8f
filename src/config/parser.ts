import type { Origin } from '../scope/option-value.ts';
import { type Token, tokenize } from './lexer.ts';
import type { Problems } from './problem.ts';

/**
 * The syntax of a configuration: names, values and blocks. The parser does not know the options.
 */
export type Node = OptionNode | StanzaNode | IncludeNode;

/** An option: `name = value`. */
export interface OptionNode {
  readonly kind: 'option';
  readonly name: string;
  /** Absent if the file has none, which the parser has reported. */
  readonly value?: ValueNode;
  readonly origin: Origin;
}

/** A stanza: `name { … }` or `name "label" { … }`. */
export interface StanzaNode {
  readonly kind: 'stanza';
  readonly name: string;
  readonly label?: ScalarNode;
  readonly children: readonly Node[];
  readonly origin: Origin;
}

/** An include: `include "file"` or `readonly_include "file"`. */
export interface IncludeNode {
  readonly kind: 'include';
  readonly path: ScalarNode;
  readonly origin: Origin;
}

export type ValueNode = ScalarNode | ArrayNode | MapNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly text: string;
  readonly origin: Origin;
}

/** An array: `( "a" "b" )`. */
interface ArrayNode {
  readonly kind: 'array';
  readonly items: readonly ScalarNode[];
  readonly origin: Origin;
}

/** A map: `[ name = "value" … ]`. */
interface MapNode {
  readonly kind: 'map';
  readonly entries: readonly { readonly name: ScalarNode; readonly value: ScalarNode }[];
  readonly origin: Origin;
}

/** Depth of nested blocks. Valid configurations need three. */
const MAX_DEPTH = 16;

/**
 * Parses one configuration file into nodes. Continues after a mistake, so that one run reports all
 * of them.
 */
export function parse(text: string, file: string, problems: Problems): readonly Node[] {
  return new Parser(tokenize(text, file, problems), problems).parseBody(0);
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #problems: Problems;
  #at = 0;
  /**
   * Words where a name should be that may belong to a value before them: on its line, as it lacks
   * its quotes, or as the first word after an option without a value. Either may be a password with
   * a `=` or `{` in it.
   */
  readonly #doubtful = new Set<Token>();

  constructor(tokens: readonly Token[], problems: Problems) {
    this.#tokens = tokens;
    this.#problems = problems;
  }

  /**
   * Parses up to the end, or to the brace that closes the block, which is not consumed.
   * @param depth 0 outside all blocks
   */
  parseBody(depth: number): readonly Node[] {
    const nodes: Node[] = [];
    for (;;) {
      const { kind } = this.#peek();
      if (kind === 'end' || (kind === '}' && depth > 0)) return nodes;
      if (kind === '}') {
        this.#unexpected(this.#next(), 'no block is open here');
        continue;
      }
      const node = this.#parseStatement(depth);
      if (node) nodes.push(node);
    }
  }

  #parseStatement(depth: number): Node | undefined {
    const before = this.#tokens[this.#at - 1];
    const name = this.#next();
    if (before?.origin.line === name.origin.line && !['{', '}'].includes(before.kind)) {
      this.#doubtful.add(name);
    }
    if (name.kind !== 'word' && name.kind !== 'string') {
      this.#unexpected(name, 'expected the name of an option or a stanza');
      this.#skipLine(name);
      return undefined;
    }
    const { kind } = this.#peek();
    if (kind === '=') return this.#parseOption(name);
    if (kind === '{') return this.#parseStanza(name, undefined, depth);
    const isName = kind === 'word' || kind === 'string';
    if (isName && /^(readonly_)?include$/i.test(name.text)) {
      return { kind: 'include', path: scalar(this.#next()), origin: name.origin };
    }
    if (isName && this.#peek(1).kind === '{') {
      return this.#parseStanza(name, scalar(this.#next()), depth);
    }
    this.#problems.error(
      name.origin,
      `expected "= value" or "{ … }" after ${this.#nameOf(name)}${found(this.#peek())}`,
    );
    this.#skipLine(name);
    return undefined;
  }

  #parseOption(name: Token): Node {
    const equals = this.#next();
    const value = this.#parseValue(name, equals);
    return { kind: 'option', name: name.text, ...(value && { value }), origin: name.origin };
  }

  #parseValue(name: Token, equals: Token): ValueNode | undefined {
    const token = this.#peek();
    const startsNextOption =
      token.origin.line > equals.origin.line && ['=', '{'].includes(this.#peek(1).kind);
    if ((token.kind === 'word' || token.kind === 'string') && !startsNextOption) {
      return scalar(this.#next());
    }
    if (token.kind === '(') return this.#parseArray();
    if (token.kind === '[') return this.#parseMap();
    this.#problems.error(equals.origin, `${this.#nameOf(name)} has no value`);
    this.#doubtful.add(token);
    return undefined;
  }

  #parseArray(): ArrayNode {
    const open = this.#next();
    const items: ScalarNode[] = [];
    let inner = 0;
    while (inner > 0 || this.#insideOf(open, ')')) {
      const token = this.#next();
      if (inner > 0 && (token.kind === ')' || token.kind === 'end')) {
        inner -= 1;
      } else if (token.kind === '(') {
        inner += 1;
        this.#unexpected(token, 'a list holds values only: ( "a" "b" )');
      } else if (token.kind !== 'word' && token.kind !== 'string') {
        this.#unexpected(token, 'a list holds values only: ( "a" "b" )');
      } else if (token.kind === 'word' && token.text.includes(',')) {
        this.#problems.error(
          token.origin,
          'the values of a list are separated by white space, not by commas; quote a value that contains one',
        );
      } else {
        items.push(scalar(token));
      }
    }
    return { kind: 'array', items, origin: open.origin };
  }

  #parseMap(): MapNode {
    const open = this.#next();
    const entries: { name: ScalarNode; value: ScalarNode }[] = [];
    while (this.#insideOf(open, ']')) {
      const [name, equals, value] = [this.#next(), this.#peek(), this.#peek(1)];
      const isName = name.kind === 'word' || name.kind === 'string';
      if (isName && equals.kind === '=' && (value.kind === 'word' || value.kind === 'string')) {
        this.#at += 2;
        entries.push({ name: scalar(name), value: scalar(value) });
      } else {
        this.#unexpected(name, 'a map holds names and values: [ name = "value" ]');
        this.#skipLine(name, ']');
      }
    }
    return { kind: 'map', entries, origin: open.origin };
  }

  /** Whether there is another item before the closing bracket, which is consumed. */
  #insideOf(open: Token, close: ')' | ']'): boolean {
    const token = this.#peek();
    if (token.kind === close) {
      this.#next();
      return false;
    }
    if (token.kind === 'end' || token.kind === '{' || token.kind === '}') {
      this.#problems.error(open.origin, `"${open.text}" is not closed with "${close}"`);
      return false;
    }
    return true;
  }

  #parseStanza(name: Token, label: ScalarNode | undefined, depth: number): StanzaNode | undefined {
    const open = this.#next();
    if (depth >= MAX_DEPTH) {
      this.#problems.error(open.origin, `blocks are nested more than ${MAX_DEPTH} deep`);
      this.#skipBlock();
      return undefined;
    }
    const children = this.parseBody(depth + 1);
    if (this.#peek().kind === '}') this.#next();
    else
      this.#problems.error(open.origin, `the "{" of ${this.#nameOf(name)} is not closed with "}"`);
    const { origin } = name;
    return { kind: 'stanza', name: name.text, ...(label && { label }), children, origin };
  }

  /** Skips the block that was just opened, with its closing brace. */
  #skipBlock(): void {
    for (let open = 1; open > 0 && this.#peek().kind !== 'end'; ) {
      const { kind } = this.#next();
      if (kind === '{') open += 1;
      if (kind === '}') open -= 1;
    }
  }

  /** Skips to the next line, or to the end of the surrounding block. */
  #skipLine(from: Token, close: string = '}'): void {
    for (;;) {
      const { kind, origin } = this.#peek();
      if (kind === 'end' || kind === close || origin.line > from.origin.line) return;
      this.#next();
      if (kind === '{') this.#skipBlock();
    }
  }

  #unexpected(token: Token, expected: string): void {
    this.#problems.error(token.origin, `unexpected ${named(token)}: ${expected}`);
  }

  #nameOf(word: Token): string {
    return this.#doubtful.has(word) ? 'this word' : quote(word);
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)] as Token;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== 'end') this.#at += 1;
    return token;
  }
}

function scalar({ text, origin }: Token): ScalarNode {
  return { kind: 'scalar', text, origin };
}

function quote({ kind, text }: Token): string {
  if (kind === 'end') return 'the end of the file';
  return kind === 'word' ? text : `"${text}"`;
}

function found(token: Token): string {
  return token.kind === 'end' ? '' : `, not ${named(token)}`;
}

/** Names a token without the text of a value, which may be a password. */
function named(token: Token): string {
  return token.kind === 'word' || token.kind === 'string' ? 'a value' : quote(token);
}
