package xlsx

import (
	"errors"
	"io"
	"strconv"

	"github.com/contactmill/contactmill/pkg/sheet/markup"
	"github.com/contactmill/contactmill/pkg/sheet/numfmt"
)

// maxStyles is more than the 65,490 cell formats that Excel takes.
const maxStyles = 1 << 17

// readStyles reads the number format of every cell style.
func (w *Workbook) readStyles(part string) error {
	if !w.pack.has(part) {
		return nil
	}
	t, in, err := w.pack.open(part, "styleSheet")
	if err != nil {
		return err
	}
	defer in.Close()
	codes := map[int]string{}
	compiled := map[int]*numfmt.Format{}
	inCells := false
	for {
		kind, err := t.Next()
		if err != nil {
			return ignoreEnd(err)
		}
		switch {
		case kind == markup.End && t.Depth() == 1:
			inCells = false
		case kind != markup.Start:
		case t.Is("cellXfs"):
			inCells = t.Depth() == 2
		case t.Is("numFmt") && len(codes) < maxStyles:
			id, err := strconv.Atoi(string(t.Attr("numFmtId")))
			if err != nil {
				continue
			}
			code, err := t.Decoded("formatCode")
			if err != nil {
				return err
			}
			if t.Depth() == 3 { // those of differential styles are deeper
				codes[id] = string(appendEscaped(nil, []byte(code)))
			}
		case inCells && t.Is("xf") && t.Depth() == 3:
			if len(w.styles) == maxStyles {
				return markup.TooLarge("cell styles", maxStyles)
			}
			id, err := strconv.Atoi(string(t.Attr("numFmtId")))
			if err != nil {
				id = 0
			}
			f, ok := compiled[id]
			if !ok {
				code, own := codes[id]
				if !own {
					code = numfmt.Builtin(id)
				}
				f = numfmt.Compile(code)
				compiled[id] = f
			}
			w.styles = append(w.styles, f)
		}
	}
}

// style returns the format of a cell's style, nil for one that shows numbers as they are.
func (w *Workbook) style(index []byte) *numfmt.Format {
	if len(index) == 0 {
		index = []byte("0")
	}
	i, ok := small(index)
	if !ok || i >= len(w.styles) || w.styles[i].General() {
		return nil
	}
	return w.styles[i]
}

// small reads a number without sign of at most nine digits.
func small(digits []byte) (int, bool) {
	if len(digits) == 0 || len(digits) > 9 {
		return 0, false
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// ignoreEnd is the error of a part that was read to its end.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
