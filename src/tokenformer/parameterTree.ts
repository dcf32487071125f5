import { tf } from '#src/engine';
import type { HostTensor } from '#src/storage';
import type { KeyClusters } from './keyClusters.js';
import type { RemoteGroup, RemoteSource } from './remoteGroups.js';
import type { Sparsity } from './sparsity.js';

/** A group's stored scale: a constant of the checkpoint, not a variable. */
const isConstant = (name: string): boolean => name.endsWith('/tau');

/**
 * A model as a named parameter tree: path → variable. Names are stable, appear in checkpoints, and decide what is
 * frozen; the tree is the only owner of the variables.
 */
export class ParameterTree {
  readonly #variables = new Map<string, tf.Variable>();
  readonly #constants = new Map<string, number>();
  #isTrainable: (name: string) => boolean = () => true;
  readonly #rowsInUse = new Map<string, number>();
  readonly #clusters = new Map<string, KeyClusters>();
  #sparsity: Sparsity | undefined;
  #remote: RemoteSource | undefined;

  constructor(tensors: ReadonlyMap<string, HostTensor> = new Map()) {
    this.add(tensors);
  }

  /** Adds parameters from host memory; @throws Error for a name that exists. */
  add(tensors: ReadonlyMap<string, HostTensor>): void {
    for (const [name, { shape, values }] of tensors) {
      if (this.has(name)) throw new Error(`ParameterTree: expected new names, got '${name}' twice`);
      if (isConstant(name)) this.#constants.set(name, values[0]);
      else {
        const initial = tf.tensor(values as Float32Array, [...shape], 'float32');
        this.#variables.set(name, tf.variable(initial, true));
        initial.dispose();
      }
    }
  }

  /** Gives every parameter and constant the values of a file that holds exactly these. */
  assign(tensors: ReadonlyMap<string, HostTensor>): void {
    this.#disposeClusters();
    for (const [name, { shape, values }] of tensors) {
      if (isConstant(name)) {
        this.#constants.set(name, values[0]);
        continue;
      }
      const value = tf.tensor(values as Float32Array, [...shape], 'float32');
      this.variable(name).assign(value);
      value.dispose();
    }
  }

  /** Takes parameters out and frees them; @throws Error for a name that does not exist. */
  remove(names: readonly string[]): void {
    this.#disposeClusters();
    for (const name of names) {
      if (!this.has(name)) throw new Error(`ParameterTree: expected a parameter '${name}', it has none of that name`);
      this.#variables.get(name)?.dispose();
      this.#variables.delete(name);
      this.#constants.delete(name);
    }
  }

  has(name: string): boolean {
    return this.#variables.has(name) || this.#constants.has(name);
  }

  variable(name: string): tf.Variable {
    const variable = this.#variables.get(name);
    if (variable === undefined)
      throw new Error(`ParameterTree: expected a parameter '${name}', it has none of that name`);
    return variable;
  }

  constant(name: string): number {
    const value = this.#constants.get(name);
    if (value === undefined) throw new Error(`ParameterTree: expected a constant '${name}', it has none of that name`);
    return value;
  }

  /** Names of all variables, in order of creation. */
  names(): string[] {
    return [...this.#variables.keys()];
  }

  /** Names and shapes of all variables and constants: what a checkpoint of this model holds. */
  shapes(): Map<string, Pick<HostTensor, 'shape'>> {
    const shapes = new Map<string, Pick<HostTensor, 'shape'>>();
    for (const [name, { shape }] of this.#variables) shapes.set(name, { shape });
    for (const name of this.#constants.keys()) shapes.set(name, { shape: [] });
    return shapes;
  }

  /** Says that only the first rows of a variable mean something; the others are kept and stored, but not computed with. */
  useRows(name: string, rows: number): void {
    this.#rowsInUse.set(name, rows);
  }

  /** Rows of a variable that mean something: all of them unless `useRows` said otherwise. */
  rowsInUse(name: string): number {
    return this.#rowsInUse.get(name) ?? this.variable(name).shape[0];
  }

  /** Says that input tokens use only so many parameter tokens of each group; undefined: all of them. For inference. */
  useSparsity(sparsity: Sparsity | undefined): void {
    this.#sparsity = sparsity;
    this.#disposeClusters();
  }

  /** What `useSparsity` said. */
  get sparsity(): Sparsity | undefined {
    return this.#sparsity;
  }

  /** Says which process holds the parameter tokens of groups that are not in this tree. For inference. */
  useRemote(source: RemoteSource | undefined): void {
    this.#remote = source;
  }

  /** What `useRemote` said. */
  get remote(): RemoteSource | undefined {
    return this.#remote;
  }

  /** The group at a path where another process holds it; undefined where its parameter tokens are in this tree. */
  remoteGroup(path: string): RemoteGroup | undefined {
    if (this.#remote === undefined || this.#variables.has(`${path}/keyParamTokens`)) return undefined;
    const sizes = this.#remote.find(path);
    return sizes && { ...sizes, path, source: this.#remote };
  }

  /** The clusters of a group, made when they are first asked for and kept until the tree changes or is told of another sparsity. */
  clusters(path: string, make: () => KeyClusters): KeyClusters {
    const known = this.#clusters.get(path);
    if (known !== undefined) return known;
    const made = make();
    for (const tensor of Object.values(made)) if (tensor instanceof tf.Tensor) tf.keep(tensor);
    this.#clusters.set(path, made);
    return made;
  }

  /** Puts other parameters in the place of all there are, as of a larger model; what is trainable is decided as before. */
  replace(tensors: ReadonlyMap<string, HostTensor>): void {
    this.dispose();
    this.add(tensors);
  }

  /** Freezes exactly the variables for which `isTrainable` is false, those that are added later too. */
  setTrainable(isTrainable: (name: string) => boolean): void {
    this.#isTrainable = isTrainable;
  }

  /** Freezes further variables, those that are added later too. */
  freeze(isFrozen: (name: string) => boolean): void {
    const before = this.#isTrainable;
    this.#isTrainable = (name) => before(name) && !isFrozen(name);
  }

  isTrainable(name: string): boolean {
    return this.#isTrainable(name);
  }

  trainableNames(): string[] {
    return this.names().filter((name) => this.isTrainable(name));
  }

  /** Number of scalar parameters among `names`. */
  countParameters(names: readonly string[] = this.names()): number {
    return names.reduce((sum, name) => sum + this.variable(name).size, 0);
  }

  /** A tree of its own that holds some of the parameters and constants as they are now; none of them is trained. */
  copyOf(names: Iterable<string>): ParameterTree {
    const copy = new ParameterTree();
    for (const name of names) {
      if (isConstant(name)) copy.#constants.set(name, this.constant(name));
      else copy.#variables.set(name, tf.variable(this.variable(name), false));
    }
    copy.setTrainable(() => false);
    return copy;
  }

  /** Copies every parameter and constant to host memory, or those that are wanted. */
  async toHost(isWanted: (name: string) => boolean = () => true): Promise<Map<string, HostTensor>> {
    const tensors = new Map<string, HostTensor>();
    for (const [name, variable] of this.#variables) {
      if (!isWanted(name)) continue;
      // The cpu engine hands out its own buffer: a snapshot must not change with the next step.
      tensors.set(name, { shape: variable.shape, values: Float32Array.from(await variable.data()) });
    }
    for (const [name, value] of this.#constants) {
      if (isWanted(name)) tensors.set(name, { shape: [], values: Float32Array.of(value) });
    }
    return tensors;
  }

  dispose(): void {
    this.#disposeClusters();
    for (const variable of this.#variables.values()) variable.dispose();
    this.#variables.clear();
    this.#constants.clear();
  }

  #disposeClusters(): void {
    for (const clusters of this.#clusters.values()) tf.dispose({ ...clusters });
    this.#clusters.clear();
  }
}
