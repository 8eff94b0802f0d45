import type { Task } from "./task.ts";

/** Holes in the queue that are left for later. */
const MAX_HOLES = 1024;

/**
 * The tasks that wait, first come, first served. One that is withdrawn leaves a hole, which is passed
 * over in its turn.
 */
export class TaskQueue {
  /** Tasks that wait. */
  size = 0;
  #tasks: Task[] = [];
  #head = 0;

  get first(): Task | undefined {
    while (this.#head < this.#tasks.length && !this.#tasks[this.#head].queued) this.#head++;
    return this.#tasks[this.#head];
  }

  append(task: Task): void {
    task.queued = true;
    this.#tasks.push(task);
    this.size++;
  }

  /** Puts tasks before all others. */
  prepend(tasks: readonly Task[]): void {
    for (const task of tasks) task.queued = true;
    this.#tasks = [...tasks, ...this.#tasks.slice(this.#head)];
    this.#head = 0;
    this.size += tasks.length;
  }

  /** Takes up to so many tasks; one that must be alone comes alone. */
  take(max: number): Task[] {
    const taken: Task[] = [];
    for (let task = this.first; task !== undefined && taken.length < max; task = this.first) {
      if (task.alone && taken.length > 0) break;
      task.queued = false;
      this.size--;
      this.#head++;
      taken.push(task);
      if (task.alone) break;
    }
    this.#compact();
    return taken;
  }

  remove(task: Task): void {
    task.queued = false;
    this.size--;
    this.#compact();
  }

  /** Takes everything. */
  clear(): Task[] {
    const tasks = this.#tasks.slice(this.#head).filter(({ queued }) => queued);
    for (const task of tasks) task.queued = false;
    this.#tasks = [];
    this.#head = this.size = 0;
    return tasks;
  }

  #compact(): void {
    const holes = this.#tasks.length - this.size;
    if (holes < MAX_HOLES || holes < this.size) return;
    this.#tasks = this.#tasks.slice(this.#head).filter(({ queued }) => queued);
    this.#head = 0;
  }
}
