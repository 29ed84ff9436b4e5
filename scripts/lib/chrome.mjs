// Finding a Chrome or Chromium and the chromedriver that belongs to it; installing them where there is apt-get.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Refusal } from './main.mjs';
import { answer, start, which } from './run.mjs';
import { step } from './step.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const MAC = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

const unavailable = (what) => `no ${what} was found and apt-get could not install one`;

/** The browser's path, or null. `CHROME` overrides. */
export function findChrome() {
  if (process.env.CHROME) {
    if (!existsSync(process.env.CHROME)) throw new Refusal(`CHROME names ${process.env.CHROME}, which does not exist.`);
    return process.env.CHROME;
  }
  return NAMES.map(which).find(Boolean) ?? (existsSync(MAC) ? MAC : null);
}

/** The driver's path, or null. `CHROMEDRIVER` (a file) or `CHROMEWEBDRIVER` (a folder, set by CI images) override. */
export function findDriver() {
  if (process.env.CHROMEDRIVER) return process.env.CHROMEDRIVER;
  const inFolder = process.env.CHROMEWEBDRIVER && path.join(process.env.CHROMEWEBDRIVER, 'chromedriver');
  return inFolder && existsSync(inFolder) ? inFolder : which('chromedriver');
}

export const majorVersion = (text) => Number(text?.match(/(\d+)\.\d+\.\d+/)?.[1] ?? Number.NaN);

async function aptInstall(packages) {
  if (!which('apt-get')) return;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (asRoot.length > 0 && !which('sudo')) return;
  const apt = (args) => {
    const [command, ...rest] = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    return start(command, rest);
  };
  await apt(['update', '-q']);
  await apt(['install', '-qy', '--no-install-recommends', ...packages]);
}

/** The browser's path; installs it if it is missing. */
export async function ensureChrome() {
  let chrome = findChrome();
  await step('Chrome or Chromium', async () => {
    if (!chrome) await aptInstall(['chromium']);
    chrome ??= findChrome();
    if (!chrome) throw new Refusal(`${unavailable('Chrome or Chromium')}: install one, or set CHROME to its path.`);
    return chrome;
  });
  return chrome;
}

/** The path of a chromedriver of the same major version as `chrome`; installs it if it is missing. */
export async function ensureDriver(chrome) {
  let driver = findDriver();
  await step('chromedriver', async () => {
    if (!driver) await aptInstall(['chromium-driver']);
    driver ??= findDriver();
    if (!driver) throw new Refusal(`${unavailable('chromedriver')}: set CHROMEDRIVER to the path of one for your Chrome.`);
    const versions = await Promise.all([chrome, driver].map((program) => answer(program, ['--version'])));
    const [browserMajor, driverMajor] = versions.map(majorVersion);
    if (browserMajor !== driverMajor) {
      const mismatch = `chromedriver ${driverMajor} does not fit Chrome ${browserMajor}`;
      throw new Refusal(`${mismatch}: set CHROME and CHROMEDRIVER to a pair of one version.`);
    }
    return `${driver} ${driverMajor}`;
  });
  return driver;
}
