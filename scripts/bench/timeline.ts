/** When each password of a run was hashed and saved, in milliseconds of a monotonic clock. */
export class Timeline {
  /** Where there is no number, it did not happen. */
  readonly hashStart: Float64Array;
  readonly hashEnd: Float64Array;
  readonly saveStart: Float64Array;
  readonly saveEnd: Float64Array;

  constructor(count: number) {
    [this.hashStart, this.hashEnd, this.saveStart, this.saveEnd] = Array.from(
      { length: 4 },
      () => new Float64Array(count).fill(NaN),
    );
  }

  noteHash(id: number, start: number, end: number): void {
    this.hashStart[id] = start;
    this.hashEnd[id] = end;
  }

  noteSave(id: number, start: number, end: number): void {
    this.saveStart[id] = start;
    this.saveEnd[id] = end;
  }
}
