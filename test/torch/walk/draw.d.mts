export function hash(text: string): number;
