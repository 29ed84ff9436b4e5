// Where things are. Every path is absolute, so that scripts run from any folder and survive spaces in names.
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const at = (...parts) => path.join(root, ...parts);

/** Pinned tools, installed for this folder only; ignored by git. */
export const toolsDir = at('.tools');
const exe = process.platform === 'win32' ? '.exe' : '';
export const tool = (name) => path.join(toolsDir, 'bin', name + exe);

/** Cargo resolves a relative CARGO_TARGET_DIR against its working directory, which for these scripts is the root. */
export const targetDir = path.resolve(root, process.env.CARGO_TARGET_DIR || 'target');
export const serverBinary = (profile) => path.join(targetDir, profile, 'peersync' + exe);

const cargoBin = path.join(process.env.CARGO_HOME || path.join(homedir(), '.cargo'), 'bin');

/** The search path of everything the scripts start: our pinned tools first, cargo even if no login shell added it. */
export const searchPath = [
  path.join(toolsDir, 'bin'),
  at('node_modules', '.bin'),
  ...(process.env.PATH ?? '').split(path.delimiter),
  cargoBin,
].join(path.delimiter);
