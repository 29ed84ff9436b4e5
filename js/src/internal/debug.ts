/** The trace in the console: which parts of peersync are to be heard, in the manner of npm's `debug`. */

/** What the trace needs of the loaded module. */
export interface Traced {
  /** Lines of the parts that `wants` says yes to go to `log`; neither may call the module. Without both: no lines. */
  setDebug(wants?: (name: string) => boolean, log?: (name: string, line: unknown) => void): void;
}

const PREFIX = 'peersync:';

let rules: { not: boolean; short: boolean; pattern: RegExp }[] | undefined;
let traced: Traced | undefined;
let lines: [string, unknown][] = [];

/** See `configureDebug`. */
export function choose(filter: boolean | string): void {
  rules = filter === true ? parse('peersync:*', false) : parse(filter || '', true);
  apply();
}

/** The module is loaded: its lines are wanted from now on. */
export function traceInto(module: Traced): void {
  traced = module;
  rules ??= parse(stored(), false);
  if (rules.length > 0) apply();
}

/** Logs what a part of the wrapper has to say. */
export function trace(part: string, line: unknown): void {
  if (wants(PREFIX + part)) log(PREFIX + part, line);
}

function apply(): void {
  if (rules?.length) traced?.setDebug(wants, log);
  else traced?.setDebug();
}

function wants(name: string): boolean {
  const own = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
  const hits = rules?.filter(({ short, pattern }) => pattern.test(name) || (short && pattern.test(own))) ?? [];
  return hits.length > 0 && !hits.some(({ not }) => not);
}

/** Shown a moment later: a page may have put its own code into `console`, and the module must not be called now. */
function log(name: string, line: unknown): void {
  if (lines.push([name, line]) > 1) return;
  queueMicrotask(() => {
    const shown = lines;
    lines = [];
    for (const [name, line] of shown) console.debug(name, line);
  });
}

function parse(filter: string, short: boolean): { not: boolean; short: boolean; pattern: RegExp }[] {
  const names = filter.split(/[\s,]+/).filter((name) => name !== '');
  return names.map((name) => {
    const not = name.startsWith('-');
    const literal = name.slice(not ? 1 : 0).replace(/[.+?^${}()|[\]\\]/g, '\\$&');
    return { not, short, pattern: new RegExp(`^${literal.replaceAll('*', '.*')}$`) };
  });
}

/** `localStorage.debug`, which libraries share. Absent in workers, forbidden in some frames. */
function stored(): string {
  try {
    return localStorage.getItem('debug') ?? '';
  } catch {
    return '';
  }
}
