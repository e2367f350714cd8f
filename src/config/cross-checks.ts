import { isLoopback } from '../lib/address.ts';
import { namesInBraces } from '../lib/braces.ts';
import { parseRedisUrl } from '../lib/redis-url.ts';
import { MAX_DOMAINS_TRIED } from '../link/sealed-links.ts';
import { LONGEST_MACRO_NAME } from '../scope/facts.ts';
import { parseListen } from '../scope/listen-address.ts';
import type { Origin } from '../scope/option-value.ts';
import { hasSenderDomain, isMadeBy, withSenderDomain } from '../scope/tracking-domain.ts';
import { type Backend, storeBackend } from '../store/open-store.ts';
import { buildScopes } from './build-scopes.ts';
import { checkSockets } from './listen-addresses.ts';
import { notImplemented } from './momentum-names.ts';
import { formatOrigin, nearest, type Problems } from './problem.ts';
import { globalOptions } from './service-options.ts';
import { type Stanza, stanzaFields } from './stanza.ts';
import { trackedToDefault } from './tracked-mail.ts';

/** Finds mistakes that involve several options or stanzas. */
export function crossCheck(root: Stanza, problems: Problems): void {
  checkPathwayNames(root, problems);
  checkGroups(root, problems);
  checkSockets(root, problems);
  checkTrackingDomain(root, problems);
  checkSenderDomains(root, problems);
  checkHostOff(root, problems);
  checkWeb(root, problems);
  checkPairs(root, problems);
  checkRedis(root, problems);
  checkMacroNames(root, problems);
  checkMetadata(root, problems);
  checkContext(root, problems);
}

/** Bounds the cost: each suggestion compares a name with all others. */
const MAX_SUGGESTIONS = 20;

/**
 * A pathway that is used but not configured may be intended for reports only, but is often a typing
 * error.
 */
function checkPathwayNames(root: Stanza, problems: Problems): void {
  const groups = root.childrenOf('pathway_group');
  const names = [root, ...groups]
    .flatMap((parent) => parent.childrenOf('pathway'))
    .map(({ label = '' }) => label);
  const known = new Set(['default', ...names.map((name) => name.toLowerCase())]);
  const suggestions = new Map<string, string>();
  const suggestion = (name: string) => {
    if (!suggestions.has(name) && suggestions.size < MAX_SUGGESTIONS)
      suggestions.set(name, nearest(name, names));
    return suggestions.get(name) ?? '';
  };
  const listeners = root.childrenOf('esmtp_listener');
  const scopes = listeners.flatMap((listener) => [listener, ...descendants(listener)]);
  for (const { name, origin } of scopes.flatMap(pathwaysUsed)) {
    if (known.has(name.toLowerCase())) continue;
    problems.warning(
      origin,
      `pathway "${name}" is not configured, so only reports will show it${suggestion(name)}`,
    );
  }
}

/** The pathways that a scope names, by the option and by the context variable. */
function pathwaysUsed({ settings }: Stanza): { name: string; origin: Origin }[] {
  const [option, context] = [settings.get('pathway'), settings.get('context')];
  const variable = context?.value instanceof Map ? context.value.get('pathway') : undefined;
  return [
    ...(option ? [{ name: String(option.value), origin: option.origin }] : []),
    ...(context && variable ? [{ name: variable, origin: context.origin }] : []),
  ];
}

function checkGroups(root: Stanza, problems: Problems): void {
  const first = new Map<string, Stanza>();
  for (const group of root.childrenOf('pathway_group')) {
    for (const pathway of group.childrenOf('pathway')) {
      const name = pathway.label?.toLowerCase() ?? '';
      const other = first.get(name);
      if (other) {
        problems.error(
          pathway.origin,
          `${pathway.title} is in ${other.parent?.title} already, at ${formatOrigin(other.origin)}: it can be in one group only`,
        );
      } else {
        first.set(name, pathway);
      }
    }
  }
}

/**
 * Links that lead to localhost although the redirect endpoint is public: only this machine could
 * follow them.
 */
function checkTrackingDomain(root: Stanza, problems: Problems): void {
  const http = root.child('http_listener');
  const isPublic = http?.childrenOf('socket').some((socket) => {
    const listen = parseListen(socket.label ?? '');
    return (
      socket.isEnabled &&
      listen &&
      'port' in listen &&
      !(listen.address && isLoopback(listen.address))
    );
  });
  if (!isPublic || !http?.isEnabled) return;
  for (const { enabled, domain } of trackedToDefault(root, buildScopes(root))) {
    if (enabled.origin === 'default') continue; // tracking is off by default
    problems.warning(
      enabled.origin,
      `tracked links will lead to ${domain.value}, the default, although HTTP_Listener is public: set tracking_domain to its public name`,
    );
  }
}

/**
 * Values of tracking_domain with {sender_domain}, and of tracking_domains_allowed, that never meet.
 */
function checkSenderDomains(root: Stanza, problems: Problems): void {
  const set = (option: string) =>
    [...descendants(root)].flatMap(({ settings }) => settings.get(option) ?? []);
  const withTemplate = set('tracking_domain').filter(({ value }) => hasSenderDomain(String(value)));
  const templates = [...new Set(withTemplate.map(({ value }) => String(value)))];
  const [template] = templates;
  if (template === undefined) return;
  const met = new Set<string>();
  for (const { value, origin } of set('tracking_domains_allowed')) {
    const strays: string[] = [];
    for (const domain of value as readonly string[]) {
      const makers = templates.filter((one) => isMadeBy(one, domain));
      for (const maker of makers) met.add(maker);
      if (makers.length === 0) strays.push(domain);
    }
    const [stray, ...more] = strays;
    if (stray === undefined) continue;
    const others = more.length > 0 ? ` and ${more.length} more` : '';
    const meant = withSenderDomain(template, stray) ?? withSenderDomain(template, 'example.com');
    problems.warning(
      origin,
      `tracking_domains_allowed has ${stray}${others}, but ${template} becomes domains such as ${meant}`,
    );
  }
  for (const { value, origin } of withTemplate) {
    if (met.has(String(value))) continue;
    problems.error(
      origin,
      `tracking_domain is ${value}: set tracking_domains_allowed to what it may become, such as ${withSenderDomain(String(value), 'example.com')}`,
    );
  }
}

/** A sealed link is bound to its host. Where that is not known, domains are tried, but not many. */
function checkHostOff(root: Stanza, problems: Problems): void {
  const checkHost = root.child('http_listener')?.settings.get('check_host');
  if (checkHost?.value !== false) return;
  const { size } = buildScopes(root).trackingDomains;
  if (size <= MAX_DOMAINS_TRIED) return;
  const mayIssue =
    configuredStore(root).linkKind === 'sealed' ||
    [...descendants(root)].some(({ settings }) => settings.get('on_failure')?.value === 'seal');
  problems[mayIssue ? 'error' : 'warning'](
    checkHost.origin,
    `check_host is off, so a sealed link is tried with the Host and ${MAX_DOMAINS_TRIED} of the ${size} tracking domains: set it to on, and let the proxy pass on the Host`,
  );
}

/** The engagement page is not for the public. */
function checkWeb(root: Stanza, problems: Problems): void {
  const web = root.child('web_listener');
  if (!web?.isEnabled || web.settings.has('token_file')) return;
  for (const socket of web.childrenOf('socket')) {
    const listen = parseListen(socket.label ?? '');
    if (!socket.isEnabled || !listen || 'path' in listen) continue;
    if (listen.address && isLoopback(listen.address)) continue;
    problems.error(
      socket.origin,
      `${socket.title} of Web_Listener is reached from other hosts: set token_file, or use an address such as "127.0.0.1:8896"`,
    );
  }
}

/** Options that need each other. */
function checkPairs(root: Stanza, problems: Problems): void {
  for (const id of ['http_listener', 'redis']) {
    const settings = root.child(id)?.settings;
    const [certificate, key] = [settings?.get('tls_certificate'), settings?.get('tls_key')];
    const alone = certificate && !key ? certificate : key && !certificate ? key : undefined;
    if (alone) problems.error(alone.origin, 'tls_certificate and tls_key must be set together');
  }
}

/** Contradictions in how Redis is reached. */
function checkRedis(root: Stanza, problems: Problems): void {
  const settings = root.child('redis')?.settings;
  const [url, nodes, sentinels, database] = ['url', 'nodes', 'sentinels', 'database'].map((name) =>
    settings?.get(name),
  );
  if (nodes && sentinels) {
    problems.error(nodes.origin, 'sentinels and nodes are both set: use one of them');
  }
  if (nodes && database && database.value !== 0) {
    problems.error(database.origin, 'a cluster has only database 0');
  }
  if (!url) return;
  const inUrl = parseRedisUrl(String(url.value));
  const others = nodes ? 'nodes' : 'sentinels';
  if (nodes || sentinels) {
    if ('path' in inUrl.at) {
      problems.error(url.origin, `url is a unix socket, which ${others} override`);
    } else if (!inUrl.tls) {
      problems.warning(url.origin, `${others} override the host in url: remove url`);
    }
    if (inUrl.username !== undefined || inUrl.password !== undefined) {
      problems.error(url.origin, `${others} override the login in url: set username and password`);
    }
    if (inUrl.database) {
      const right = nodes ? 'a cluster has only database 0' : 'set database';
      problems.error(url.origin, `${others} override the database in url: ${right}`);
    }
  } else if (database && inUrl.database !== undefined && inUrl.database !== database.value) {
    problems.error(
      database.origin,
      `url names database ${inUrl.database}: set the database in one place`,
    );
  }
}

/** Sendmail refuses all mail when a milter asks for a macro with a longer name. */
function checkMacroNames(root: Stanza, problems: Problems): void {
  const settings = root.child('macros')?.settings;
  if (settings?.get('long_names')?.value === true) return;
  for (const [option, { value, origin }] of settings ?? []) {
    const names = Array.isArray(value) ? namesInBraces(value) : [];
    for (const name of names.filter(({ length }) => length > LONGEST_MACRO_NAME)) {
      problems.error(
        origin,
        `${option} asks for {${name}}, but Sendmail allows names of at most ${LONGEST_MACRO_NAME} characters: set long_names = on if all mail comes from Postfix`,
      );
    }
  }
}

/** The kind of store that a configuration chooses. */
export function configuredStore(root: Stanza): Backend {
  const { link_store } = globalOptions;
  return storeBackend(stanzaFields({ link_store }, root, { file: '', stateDirectory: '' }));
}

/**
 * Metadata that sealed links may not have room for. Included by default, it is worth a warning only
 * where it is set.
 */
function checkMetadata(root: Stanza, problems: Problems): void {
  const tracker = root.child('engagement_tracker')?.settings;
  const included = tracker?.get('click_tracking_include_metadata');
  if (included?.value !== true || configuredStore(root).linkKind !== 'sealed') return;
  problems.warning(
    included.origin,
    'sealed links hold metadata only while they are short, so some clicks lack it: link_store = redis keeps all of it',
  );
}

/** Context variables that clickmilter does not implement. */
function checkContext(root: Stanza, problems: Problems): void {
  for (const { settings } of descendants(root)) {
    const context = settings.get('context');
    if (!(context?.value instanceof Map)) continue;
    for (const name of context.value.keys()) {
      const missing = notImplemented.get(name);
      if (missing === undefined) continue;
      problems.warning(
        context.origin,
        `context has ${name}, which is not implemented by clickmilter: ${missing}`,
      );
    }
  }
}

function* descendants(stanza: Stanza): Iterable<Stanza> {
  for (const child of stanza.children) {
    yield child;
    yield* descendants(child);
  }
}
