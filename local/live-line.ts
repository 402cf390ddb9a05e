/** The last line of a watched terminal: it tells every second that work goes on, and is wiped before anything is printed. */

export interface LiveLine {
  /** Prints whole lines, then begins to count again. */
  readonly print: (text: string) => void;
  /** How far the work is that was printed last. */
  readonly progress: (text: string) => void;
  /** Nothing is awaited any more. */
  readonly end: () => void;
}

/** Writes nothing but what is printed unless `watched`. */
export const liveLine = (out: Pick<NodeJS.WriteStream, 'write' | 'columns'>, watched: boolean): LiveLine => {
  let since = Date.now();
  let far = '';
  let shown = false;
  const show = () => {
    const line = `${' '.repeat(7)}… ${Math.round((Date.now() - since) / 1000)} s${far && `, ${far}`}`;
    out.write(`\r\u001b[2K${line.slice(0, (out.columns || 80) - 1)}`);
    shown = true;
  };
  const timer = watched ? setInterval(show, 1_000).unref() : undefined;
  const wipe = () => {
    if (shown) out.write('\r\u001b[2K');
    shown = false;
  };
  return {
    print: (text) => {
      wipe();
      out.write(`${text}\n`);
      since = Date.now();
      far = '';
      timer?.refresh();
    },
    progress: (text) => {
      far = text;
    },
    end: () => {
      clearInterval(timer);
      wipe();
    },
  };
};
