// Progress: what is being done, and how long it took.
export function duration(millis) {
  if (millis < 60_000) return `${(millis / 1000).toFixed(1)} s`;
  const seconds = Math.round(millis / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Does `work`, announced before and timed after. `work` may return a word on how it went ("unchanged"). */
export async function step(name, work) {
  console.log(`▸ ${name}`);
  const begun = performance.now();
  try {
    const remark = await work();
    console.log(`✓ ${name}${typeof remark === 'string' ? `: ${remark}` : ''} (${duration(performance.now() - begun)})`);
  } catch (error) {
    console.log(`✗ ${name} (${duration(performance.now() - begun)})`);
    throw error;
  }
}
