/**
 * The answers of classifyCharacters.ts to every code point, as runs of equal classes: a class and a length, both in base 36, and so
 * on. The bundle puts them here.
 */
declare const CHARACTER_CLASS_RUNS: string;

let all: Uint8Array | undefined;

export function classifyCharacters(first: number, count: number): Uint8Array {
  all ??= expand();
  return all.slice(first, first + count);
}

function expand(): Uint8Array {
  const classes = new Uint8Array(0x110000);
  const numbers = CHARACTER_CLASS_RUNS.split(' ').map((number) => Number.parseInt(number, 36));
  for (let i = 0, start = 0; i < numbers.length; i += 2) {
    classes.fill(numbers[i], start, start + numbers[i + 1]);
    start += numbers[i + 1];
  }
  return classes;
}
