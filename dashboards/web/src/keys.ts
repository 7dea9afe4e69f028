/*
 * The keyboard of the console. Single letters act only while nobody types and no dialog is open; `g` waits for a
 * second letter.
 */
export interface Acts {
  search(): void;
  help(): void;
  wall(): void;
  leave(): void;
  go(path: string): void;
  step(by: 1 | -1): void;
  acknowledge(): void;
  note(): void;
}

/** A `g` older than this no longer waits. */
const CHORD_MS = 1_500;

export class Keys {
  private chordAt = -Infinity;

  constructor(private readonly acts: Acts) {}

  press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isBusy(event.target)) return;
    const act = this.actOf(event);
    if (act === undefined) return;
    event.preventDefault();
    act();
  }

  private actOf(event: KeyboardEvent): (() => void) | undefined {
    const { acts } = this;
    const chord = event.timeStamp - this.chordAt < CHORD_MS;
    this.chordAt = -Infinity;
    if (chord) {
      if (event.key === "o") return () => acts.go("/");
      if (event.key === "i") return () => acts.go("/incidents");
      if (event.key === "m") return () => acts.go("/maintenance");
      if (event.key === "s") return () => acts.go("/setup");
    }
    switch (event.key) {
      case "/":
        return acts.search;
      case "?":
        return acts.help;
      case "w":
        return acts.wall;
      case "Escape":
        return acts.leave;
      case "j":
        return () => acts.step(1);
      case "k":
        return () => acts.step(-1);
      case "a":
        return acts.acknowledge;
      case "e":
        return acts.note;
      case "g":
        return () => (this.chordAt = event.timeStamp);
      default:
        return undefined;
    }
  }
}

function isBusy(target: EventTarget | null): boolean {
  if (document.querySelector("dialog[open]")) return true;
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
}
