import { fillBraces, hasStrayBraces, namesInBraces } from './braces.ts';

/** The values that a template of parameters can name in braces. */
const appendableValues = ['campaign_id', 'link_name', 'pathway', 'message_id'] as const;

type Values = Readonly<Record<(typeof appendableValues)[number], string | undefined>>;

/** Characters of the longest template, which every sealed link has to hold. */
const MAX_TEMPLATE = 128;
/** Characters after which a value is cut. */
const MAX_VALUE = 256;

/**
 * Parses a template such as `utm_source=news&utm_campaign={campaign_id}`. An empty text appends
 * nothing.
 * @returns undefined for any other text
 * @throws RangeError for a name that stands for no value, and for a parameter that is there twice
 */
export function parseAppendQuery(text: string): string | undefined {
  const isParameter = /^[\w.~%-]+=[\w.~!$'()*+,;:@/?%{}=-]*$/;
  const parameters = text === '' ? [] : text.split('&');
  const isRight = parameters.every(
    (parameter) =>
      isParameter.test(parameter) &&
      !hasStrayBraces(parameter) &&
      !/%(?![\da-f]{2})/i.test(parameter),
  );
  if (!isRight || text.length > MAX_TEMPLATE) return undefined;
  const known: readonly string[] = appendableValues;
  const unknown = namesInBraces([text]).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const names = known.map((name) => `{${name}}`).join(', ');
    throw new RangeError(`has {${unknown}}: expected one of ${names}`);
  }
  const names = parameters.map(nameOf);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new RangeError(`has the parameter "${twice}" twice`);
  return text;
}

/**
 * Appends the parameters of a template to a URL, before its fragment. Left out are parameters that
 * the URL has already, and those with a value that is not known or empty. Every other byte of the
 * URL stays.
 * @param template as it was read back from a record or token
 * @returns the URL itself where the template is too long
 */
export function appendQuery(url: string, template: string, values: Values): string {
  if (template.length > MAX_TEMPLATE) return url;
  const fragment = url.indexOf('#');
  const end = fragment < 0 ? url.length : fragment;
  const question = url.slice(0, end).indexOf('?');
  const query = question < 0 ? '' : url.slice(question + 1, end);
  const present = new Set(parameterNames(query));
  const added = template
    .split('&')
    .filter((parameter) => !parameterNames(parameter).some((name) => present.has(name)))
    .flatMap((parameter) => fillBraces(parameter, (name) => encoded(own(values, name))) ?? []);
  const separator = question < 0 ? '?' : /(?:^|&)$/.test(query) ? '' : '&';
  return added.length === 0
    ? url
    : `${url.slice(0, end)}${separator}${added.join('&')}${url.slice(end)}`;
}

/**
 * The names of parameters as servers compare them, some of which ignore case and separate by `;`.
 */
function parameterNames(query: string): string[] {
  const parameters = new URLSearchParams(query.replaceAll(';', '&'));
  return [...parameters.keys()].map((name) => name.toLowerCase());
}

function nameOf(parameter: string): string {
  return parameter.slice(0, parameter.indexOf('='));
}

/** @param name as a record has it, perhaps one that every object has, such as `constructor` */
function own(values: Values, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name as keyof Values] : undefined;
}

/** Percent-encodes a value. A lone surrogate, which has no encoding, becomes U+FFFD. */
function encoded(value = ''): string {
  return encodeURIComponent(value.slice(0, MAX_VALUE).replace(/\p{Cs}/gu, '\ufffd'));
}
