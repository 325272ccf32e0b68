/** The table for a terminal: a line for each row as it comes, and one with the counts. */
export function line({ name, outcome, detail }) {
  return `${outcome.padEnd(7)}  ${name.padEnd(52)}  ${detail}`.trimEnd();
}

export function summary(rows) {
  const counts = ['ok', 'FAILED', 'skipped'].map(
    (outcome) => `${rows.filter((row) => row.outcome === outcome).length} ${outcome}`,
  );
  return counts.join(', ');
}
