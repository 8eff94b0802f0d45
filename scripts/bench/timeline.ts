/** When each item of a run was computed and saved, in milliseconds of a monotonic clock. */
export class Timeline {
  /** Where there is no number, it did not happen. */
  readonly computeStart: Float64Array;
  readonly computeEnd: Float64Array;
  readonly saveStart: Float64Array;
  readonly saveEnd: Float64Array;

  constructor(count: number) {
    [this.computeStart, this.computeEnd, this.saveStart, this.saveEnd] = Array.from(
      { length: 4 },
      () => new Float64Array(count).fill(NaN),
    );
  }

  noteCompute(id: number, start: number, end: number): void {
    this.computeStart[id] = start;
    this.computeEnd[id] = end;
  }

  noteSave(id: number, start: number, end: number): void {
    this.saveStart[id] = start;
    this.saveEnd[id] = end;
  }
}
