// Numbers: percentiles, medians, and how they are printed.

/** The `percent`-th percentile (nearest rank) of numbers in any order. */
export function percentile(numbers, percent) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)];
}

export const median = (numbers) => percentile(numbers, 50);

/** `1.23`, `12.3`, `1,234`: three digits that matter, all digits before the point. */
export function short(number) {
  if (!Number.isFinite(number)) return '-';
  const size = Math.abs(number);
  if (size >= 100) return Math.round(number).toLocaleString('en-US');
  return number.toFixed(size >= 10 ? 1 : 2);
}

/** "median (least to greatest)" of several runs. */
export const spread = (numbers) =>
  numbers.length === 1
    ? short(numbers[0])
    : `${short(median(numbers))} (${short(Math.min(...numbers))} to ${short(Math.max(...numbers))})`;

/** A Markdown table whose columns line up in a terminal too. */
export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length), 3));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(cells[0]), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...cells.slice(1).map(line)].join('\n');
}
