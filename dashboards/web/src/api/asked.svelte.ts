/*
 * One answer that a part of a page asks for, again and again. Promises: an older answer never overwrites a newer one,
 * a failed attempt leaves the last good answer in place, and both are told.
 */
export class Asked<T> {
  value = $state.raw<T | null>(null);
  fault = $state.raw<unknown>(null);
  busy = $state(false);
  private turn = 0;

  async ask(question: () => Promise<T>): Promise<void> {
    this.turn += 1;
    const turn = this.turn;
    this.busy = true;
    try {
      const value = await question();
      if (turn !== this.turn) return;
      this.value = value;
      this.fault = null;
    } catch (fault) {
      if (turn !== this.turn) return;
      this.fault = fault;
    }
    this.busy = false;
  }

  /** The subject is another one: what was known says nothing about it. */
  forget(): void {
    this.turn += 1;
    this.value = null;
    this.fault = null;
    this.busy = false;
  }
}
