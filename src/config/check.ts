import type { Origin } from '../scope/option-value.ts';
import { checkLabel } from './label.ts';
import { momentumOptions, momentumStanzas, notImplemented } from './momentum-names.ts';
import { notGiven } from './option-type.ts';
import type { Node, OptionNode, StanzaNode } from './parser.ts';
import { formatOrigin, nearest, type Problems } from './problem.ts';
import { Stanza } from './stanza.ts';
import {
  allOptions,
  allStanzas,
  childrenOf,
  definitionOf,
  optionOf,
  placeName,
  places,
  type StanzaDefinition,
  sameName,
  scopesOf,
  stanzas,
} from './stanzas.ts';

/** The stanzas that Momentum has too. */
const momentumScopes = [
  'global',
  'esmtp_listener',
  'listen',
  'peer',
  'pathway',
  'pathway_group',
  'http_listener',
  'control_listener',
  'socket',
  'smtpapi',
  'engagement_tracker',
];

/** Checks nodes against the tables of stanzas and options, and merges stanzas that appear again. */
export function check(nodes: readonly Node[], file: string, problems: Problems): Stanza {
  const root = new Stanza(definitionOf('global'), { origin: { file, line: 1, column: 1 } });
  checkBody(root, nodes, problems);
  return root;
}

function checkBody(stanza: Stanza, nodes: readonly Node[], problems: Problems): void {
  const seen = new Map<string, Origin>();
  let before: Node | undefined;
  for (const node of nodes) {
    if (node.kind !== 'include' && mayEndSecret(stanza.definition, node, before)) {
      problems.error(
        node.origin,
        'unknown name: a value with white space or any of # / " \' = { } [ ] ( ) must be quoted',
      );
    } else if (node.kind === 'option') checkOption(stanza, node, seen, problems);
    else if (node.kind === 'stanza') checkStanza(stanza, node, problems);
    before = node;
  }
}

/**
 * Whether what looks like an unknown name may be a secret, or the end of one, that lacks its
 * quotes.
 */
function mayEndSecret(
  scope: StanzaDefinition,
  node: OptionNode | StanzaNode,
  before?: Node,
): boolean {
  const name = node.name.toLowerCase();
  const isKnown = optionOf(scope, name) ?? childrenOf(scope).some((child) => sameName(child, name));
  if (before?.kind !== 'option' || isKnown) return false;
  const option = optionOf(scope, before.name.toLowerCase());
  const belongs = before.value === undefined || before.origin.line === node.origin.line;
  return belongs && (!option || option.secret !== undefined);
}

/** @param seen the options of this block, to report where one is set twice */
function checkOption(
  stanza: Stanza,
  { name: written, value, origin }: OptionNode,
  seen: Map<string, Origin>,
  problems: Problems,
): void {
  if (value === undefined) return;
  const name = written.toLowerCase();
  const definition = optionOf(stanza.definition, name);
  if (!definition) {
    unknownOption(stanza.definition, written, origin, problems);
    return;
  }
  const earlier = seen.get(name);
  if (earlier) {
    problems.warning(
      origin,
      `${name} is set twice here: this value overrides that of ${formatOrigin(earlier)}`,
    );
  }
  seen.set(name, origin);
  const read = definition.type.read(value, (place, message, given) => {
    const not = given && !definition.secret ? notGiven(given) : '';
    problems.error(place, `${name} ${message}${not}`);
  });
  if (read !== undefined) stanza.settings.set(name, { value: read, origin });
}

function checkStanza(parent: Stanza, node: StanzaNode, problems: Problems): void {
  const name = node.name.toLowerCase();
  const definition = childrenOf(parent.definition).find((child) => sameName(child, name));
  if (!definition) {
    unknownStanza(parent.definition, node.name, node.origin, problems);
    return;
  }
  const key = checkLabel(definition, node.label, node.origin, problems);
  let stanza = key === undefined ? undefined : parent.child(definition.id, key);
  if (!stanza) {
    stanza = new Stanza(definition, { origin: node.origin, label: node.label?.text, parent });
    // A stanza with an invalid label is checked too, but is not part of the configuration.
    if (key !== undefined) parent.addChild(key, stanza);
  }
  checkBody(stanza, node.children, problems);
}

function unknownOption(
  scope: StanzaDefinition,
  written: string,
  origin: Origin,
  problems: Problems,
): void {
  const name = written.toLowerCase();
  const valid = scopesOf(name);
  const isMomentums = momentumScopes.includes(scope.id) && momentumOptions.has(name);
  if (isMomentums) {
    const ours = valid.length > 0 ? `; clickmilter's own is valid in ${places(valid)}` : '';
    const missing = notImplemented.get(name);
    const what = missing
      ? `is not implemented by clickmilter: ${missing}`
      : `is an option of Momentum that clickmilter ignores${ours}`;
    problems.warning(origin, `${written} ${what}`);
  } else if (valid.length > 0) {
    problems.error(
      origin,
      `${name} is not valid in ${placeName(scope)}; it is valid in ${places(valid)}`,
    );
  } else if (childrenOf(scope).some((child) => sameName(child, name))) {
    problems.error(origin, `${name} is a stanza: write ${name} { … }`);
  } else {
    const near = nearest(name, Object.keys(scope.options)) || nearest(name, allOptions());
    problems.error(origin, `unknown option ${written} in ${placeName(scope)}${near}`);
  }
}

function unknownStanza(
  scope: StanzaDefinition,
  written: string,
  origin: Origin,
  problems: Problems,
): void {
  const name = written.toLowerCase();
  const known = stanzas.filter((stanza) => stanza.within.length > 0 && sameName(stanza, name));
  const parents = stanzas.filter(({ id }) => known.some(({ within }) => within.includes(id)));
  if (known.length > 0) {
    problems.error(
      origin,
      `${known[0]?.name} is not valid in ${placeName(scope)}; it is valid in ${places(parents)}`,
    );
  } else if (momentumStanzas.has(name)) {
    problems.warning(
      origin,
      `${written} is a stanza of Momentum that clickmilter ignores, with all that it contains`,
    );
  } else if (optionOf(scope, name)) {
    problems.error(origin, `${name} is an option: write ${name} = value`);
  } else {
    const names = childrenOf(scope).map((child) => child.name);
    const near = nearest(name, names) || nearest(name, allStanzas());
    problems.error(origin, `unknown stanza ${written} in ${placeName(scope)}${near}`);
  }
}
