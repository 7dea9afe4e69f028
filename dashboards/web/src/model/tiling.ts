/*
 * How large a tile may be. Areas stand in bands, each `rows` tiles high and as wide as it needs:
 *
 *   ┌ Mỹ Tho ──┐ ┌ Cái Bè ─┐ ┌ Tân Phước ┐      band 1, rows = 2
 *   │ ▪▪▪▪▪▪   │ │ ▪▪▪▪    │ │ ▪▪        │
 *   │ ▪▪▪▪▪▪   │ │ ▪▪▪▪    │ │ ▪▪        │
 *   └──────────┘ └─────────┘ └───────────┘
 *   ┌ Gò Công …                                 band 2
 *
 * The largest tile whose bands fit the free area wins, so a wall screen is full and its positions stay memorable
 * (the order of areas never changes).
 */

export interface Room {
  width: number;
  /** Infinity where the page may scroll. */
  height: number;
}

export interface Measures {
  gap: number;
  /** Box padding, left and right together; top and bottom together. */
  padX: number;
  padY: number;
  header: number;
  footer: number;
  /** An area is never narrower than its name. */
  minArea: number;
  minTile: number;
  maxTile: number;
}

export interface Tiling {
  tile: number;
  rows: number;
}

/** `counts` = communes per area. Falls back to the smallest tile when nothing fits: then the page scrolls. */
export function tiling(counts: readonly number[], room: Room, measures: Measures): Tiling {
  const most = Math.max(1, ...counts);
  for (let tile = measures.maxTile; tile >= measures.minTile; tile -= 2) {
    const fitting = rowsThatFit(counts, most, tile, room, measures);
    if (fitting !== null) return { tile, rows: fitting };
  }
  return { tile: measures.minTile, rows: narrowRows(most, measures.minTile, room, measures) };
}

export function areaWidth(communes: number, { tile, rows }: Tiling, measures: Measures): number {
  const columns = Math.ceil(communes / rows);
  return Math.max(measures.minArea, columns * (tile + measures.gap) - measures.gap + measures.padX);
}

function rowsThatFit(counts: readonly number[], most: number, tile: number, room: Room, m: Measures): number | null {
  for (let rows = 1; rows <= most; rows += 1) {
    const band = m.header + m.footer + m.padY + rows * (tile + m.gap);
    const bands = countBands(counts.map((n) => areaWidth(n, { tile, rows }, m)), room.width, m.gap);
    if (bands !== null && bands * (band + m.gap) - m.gap <= room.height) return rows;
  }
  return null;
}

/** `null` when some area is wider than the room. */
function countBands(widths: readonly number[], room: number, gap: number): number | null {
  let bands = 1;
  let used = 0;
  for (const width of widths) {
    if (width > room) return null;
    if (used > 0 && used + gap + width > room) {
      bands += 1;
      used = width;
    } else {
      used += (used > 0 ? gap : 0) + width;
    }
  }
  return bands;
}

function narrowRows(most: number, tile: number, room: Room, m: Measures): number {
  const columns = Math.max(1, Math.floor((room.width - m.padX + m.gap) / (tile + m.gap)));
  return Math.ceil(most / columns);
}

export interface Spot {
  x: number;
  y: number;
}

/** Where an arrow key leads from tile `from`: sideways in reading order, up and down to the nearest tile of the next row. */
export function neighbour(spots: readonly Spot[], from: number, key: string): number {
  const here = spots[from];
  if (here === undefined) return 0;
  switch (key) {
    case "ArrowRight":
      return Math.min(from + 1, spots.length - 1);
    case "ArrowLeft":
      return Math.max(from - 1, 0);
    case "Home":
      return 0;
    case "End":
      return spots.length - 1;
    case "ArrowDown":
      return nearest(spots, from, (spot) => spot.y - here.y);
    case "ArrowUp":
      return nearest(spots, from, (spot) => here.y - spot.y);
    default:
      return from;
  }
}

function nearest(spots: readonly Spot[], from: number, ahead: (spot: Spot) => number): number {
  const here = spots[from] as Spot;
  let best = from;
  let bestCost = Infinity;
  spots.forEach((spot, i) => {
    const forward = ahead(spot);
    // A row ahead outweighs any sideways distance on screen.
    const cost = forward * 100 + Math.abs(spot.x - here.x);
    if (forward > 1 && cost < bestCost) {
      best = i;
      bestCost = cost;
    }
  });
  return best;
}
