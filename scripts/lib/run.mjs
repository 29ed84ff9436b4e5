// Starting other programs: with our search path, without a shell, and with their failure said in one sentence.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Refusal } from './main.mjs';
import { root, searchPath } from './paths.mjs';

/**
 * Starts a program and waits for it. Never rejects for an exit code.
 * `show`: pass its output on as it comes (default); `keep`: also return it (stdout, and both interleaved as `output`).
 */
export function start(command, args = [], { cwd = root, env = {}, show = true, keep = false } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = keep || !show ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'];
    const child = spawn(command, args, { cwd, env: { ...process.env, PATH: searchPath, ...env }, stdio });
    const text = { stdout: '', output: '' };
    for (const name of ['stdout', 'stderr']) {
      child[name]?.setEncoding('utf8').on('data', (chunk) => {
        if (show) process[name].write(chunk);
        if (name === 'stdout') text.stdout += chunk;
        text.output += chunk;
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: code ?? 128, signal, ...text }));
  });
}

/** Runs a program that must succeed. */
export async function run(command, args = [], options = {}) {
  const result = await start(command, args, options);
  if (result.code !== 0) {
    if (options.show === false) process.stderr.write(result.output);
    const said = [path.basename(command), ...args].join(' ');
    throw new Refusal(`\`${said}\` failed (${result.signal ?? `exit ${result.code}`}).`);
  }
  return result;
}

/** What a program prints, or null if it is missing or fails. */
export async function answer(command, args = []) {
  try {
    const result = await start(command, args, { show: false });
    return result.code === 0 ? result.stdout.trim() : null;
  } catch {
    return null;
  }
}

/** The absolute path of a program, or null. */
export function which(name) {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  for (const folder of searchPath.split(path.delimiter)) {
    for (const suffix of suffixes) {
      const candidate = path.join(folder, name + suffix);
      if (folder && existsSync(candidate)) return candidate;
    }
  }
  return null;
}

export const cargo = (args, options) => run('cargo', args, options);

/** The documentation of this crate, private items included; warnings are errors. */
export const cargoDoc = (...flags) =>
  cargo(['doc', '--locked', '--no-deps', '--features', 'server', '--document-private-items', ...flags], {
    env: { RUSTDOCFLAGS: '-D warnings' },
  });

/** npm by the path it was started from, since on some systems `npm` itself is a shell script. */
export function npm(args, options) {
  const self = process.env.npm_execpath;
  return self && /\.[cm]?js$/.test(self) ? run(process.execPath, [self, ...args], options) : run('npm', args, options);
}
