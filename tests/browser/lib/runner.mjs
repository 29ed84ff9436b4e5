// Runs tests one after another, each with a deadline and its own clean-up; closes with node:test's counts.
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const artifacts = fileURLToPath(new URL('../artifacts/', import.meta.url));
const DEFAULT_TIMEOUT_MS = 60_000;
/** For all tests together; what has not begun by then fails. */
const SUITE_MS = 540_000;
const tests = [];

/** Registers a test. `run` gets a context with `defer(cleanup)`; clean-ups run last first, whatever happened. */
export function test(name, options, run) {
  if (typeof options === 'function') tests.push({ name, timeoutMs: DEFAULT_TIMEOUT_MS, run: options });
  else tests.push({ name, timeoutMs: DEFAULT_TIMEOUT_MS, ...options, run });
}

/** What is being waited for at this moment, outermost first. */
const waits = new Set();

/** `promise`, or a failure that says what was waited for, and what that was waiting for. */
export async function within(ms, what, promise) {
  const wait = { what };
  waits.add(wait);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const inner = [...waits].filter((other) => other !== wait).map((other) => other.what);
      reject(new Error(`${what}: not within ${ms} ms${inner.length > 0 ? `; waiting for: ${inner.join('; ')}` : ''}`));
    }, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    waits.delete(wait);
  }
}

/** Asks `probe` until it gives something true, and returns that. */
export async function eventually(ms, what, probe) {
  const deadline = Date.now() + ms;
  const asking = async () => {
    for (;;) {
      const answer = await probe();
      if (answer) return answer;
      if (Date.now() > deadline) return undefined;
      await pause(50);
    }
  };
  // A probe may hang as well, so the limit is not left to the loop alone.
  const answer = await within(ms + 1_000, what, asking());
  if (!answer) throw new Error(`${what}: not within ${ms} ms`);
  return answer;
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs every test whose name contains one of `filters` (all, if there is none). Returns how many failed. */
export async function runAll(filters, { onFailure }) {
  rmSync(artifacts, { recursive: true, force: true });
  mkdirSync(artifacts, { recursive: true });
  const chosen = tests.filter(({ name }) => filters.length === 0 || filters.some((part) => name.includes(part)));
  const started = Date.now();
  let failed = 0;
  for (const [index, { name, timeoutMs, run }] of chosen.entries()) {
    const begun = Date.now();
    const cleanups = [];
    const context = { name, defer: (cleanup) => cleanups.push(cleanup) };
    let failure;
    const left = started + SUITE_MS - begun;
    try {
      if (left <= 0) throw new Error(`not run: the ${SUITE_MS / 1_000} s of the suite are over`);
      await within(Math.min(timeoutMs, left), 'the test', run(context));
    } catch (error) {
      failure = error;
      await onFailure(context, error).catch(() => {});
    }
    for (const cleanup of cleanups.reverse()) {
      await within(10_000, `clean-up of ${name}`, Promise.resolve().then(cleanup)).catch((error) => (failure ??= error));
    }
    // A test that was given up may still be waiting.
    waits.clear();
    const state = failure ? 'not ok' : 'ok';
    console.log(`${state} ${index + 1} - ${name} (${((Date.now() - begun) / 1_000).toFixed(1)} s)`);
    if (failure) {
      failed += 1;
      console.log(`  ${String(failure.stack ?? failure).replaceAll('\n', '\n  ')}`);
    }
  }
  const passed = chosen.length - failed;
  console.log(`1..${chosen.length}\n# tests ${chosen.length}\n# pass ${passed}\n# fail ${failed}`);
  console.log(`# duration_ms ${Date.now() - started}\n\n${passed} passed, ${failed} failed`);
  return chosen.length === 0 ? 1 : failed;
}
