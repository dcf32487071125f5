/** A page shows its work itself. */
export async function showWork<T>(_output: unknown, command: () => Promise<T>): Promise<T> {
  return await command();
}

export function startWork(_label: string, _total: number, _unit: string): (done: number) => void {
  return () => {};
}
