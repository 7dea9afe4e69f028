/*
 * How large a tile may be. Areas stand in bands, each `rows` tiles high and as wide as it needs:
 *
 *   ┌ Mỹ Tho ──┐ ┌ Cái Bè ─┐ ┌ Tân Phước ┐      band 1, rows = 2
 *   │ ▪▪▪▪▪▪   │ │ ▪▪▪▪    │ │ ▪▪        │
 *   │ ▪▪▪▪▪▪   │ │ ▪▪▪▪    │ │ ▪▪        │
 *   └──────────┘ └─────────┘ └───────────┘
 *   ┌ Gò Công …                                 band 2
 *
 * The widest tile whose bands fit the free area wins, so a wall screen is full and its positions stay memorable
 * (the order of areas never changes).
 */

export interface Room {
  width: number;
  /** Infinity where the page may scroll. */
  height: number;
}

/** An area to place: how many tiles, and how narrow its heading allows it to be. */
export interface Area {
  communes: number;
  minWidth: number;
}

export interface Measures {
  gap: number;
  /** Box padding and border, left and right together; top and bottom together. */
  padX: number;
  padY: number;
  header: number;
  footer: number;
  minTile: number;
  maxTile: number;
}

export interface Tiling {
  /** Width of a tile. */
  tile: number;
  /** Its height: the width, or a little more where the room would stay empty. */
  tall: number;
  /** Tiles one above the other in an area, unless `maxColumns` forces more. */
  rows: number;
  maxColumns: number;
}

/** Falls back to the smallest tile when nothing fits: then the page scrolls, and every area uses its full width. */
export function tiling(areas: readonly Area[], room: Room, measures: Measures): Tiling {
  if (room.height === Infinity) return scrolling(measures.maxTile, room, measures);
  const most = Math.max(1, ...areas.map((area) => area.communes));
  for (let tile = measures.maxTile; tile >= measures.minTile; tile -= 1) {
    for (let rows = 1; rows <= most; rows += 1) {
      const fit = { tile, tall: tile, rows, maxColumns: Infinity };
      const spare = spareHeight(areas, fit, room, measures);
      if (spare >= 0) return { ...fit, tall: Math.floor(Math.min(tile * TALLEST, tile + spare / rows)) };
    }
  }
  return scrolling(measures.minTile, room, measures);
}

/** A tile is at most this much taller than wide. */
const TALLEST = 1.5;

export function columnsOf(communes: number, { rows, maxColumns }: Tiling): number {
  return Math.max(1, Math.min(maxColumns, Math.ceil(communes / rows)));
}

export function areaWidth(area: Area, fit: Tiling, { gap, padX }: Measures): number {
  return Math.max(area.minWidth, columnsOf(area.communes, fit) * (fit.tile + gap) - gap + padX);
}

function scrolling(tile: number, room: Room, { gap, padX }: Measures): Tiling {
  return { tile, tall: tile, rows: 1, maxColumns: Math.max(1, Math.floor((room.width - padX + gap) / (tile + gap))) };
}

/** Height left over per band; negative when the bands do not fit. */
function spareHeight(areas: readonly Area[], fit: Tiling, room: Room, m: Measures): number {
  const band = m.header + m.footer + m.padY + fit.rows * (fit.tile + m.gap) - m.gap;
  const bands = countBands(areas.map((area) => areaWidth(area, fit, m)), room.width, m.gap);
  if (bands === Infinity) return -1;
  return (room.height - bands * (band + m.gap) + m.gap) / bands;
}

/** Infinity when some area is wider than the room. */
function countBands(widths: readonly number[], room: number, gap: number): number {
  let bands = 1;
  let used = 0;
  for (const width of widths) {
    if (width > room) return Infinity;
    if (used > 0 && used + gap + width > room) {
      bands += 1;
      used = width;
    } else {
      used += (used > 0 ? gap : 0) + width;
    }
  }
  return bands;
}

/** Width of a letter of an area's heading, rather wide than narrow, and what its count takes; rem. */
const HEADING_LETTER_REM = 0.54;
const HEADING_COUNT_REM = 3.2;

export function headingWidth(name: string): number {
  return name.length * HEADING_LETTER_REM + HEADING_COUNT_REM;
}

/** Mean width of a letter under an area, in rem, and the letters that the rehearsal mark and "+12" take. */
const LETTER_REM = 0.49;
const RESERVED_LETTERS = 15;

/** The first names that fit two lines of `width` rem; at least one. */
export function namesThatFit(names: readonly string[], width: number): string[] {
  let left = (2 * width) / LETTER_REM - RESERVED_LETTERS;
  const fitting: string[] = [];
  for (const name of names) {
    left -= name.length + 2;
    if (left < 0 && fitting.length > 0) break;
    fitting.push(name);
  }
  return fitting;
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
