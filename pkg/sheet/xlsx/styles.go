package xlsx

import "strconv"

// maxStyles is more than the 65,490 cell formats that Excel takes.
const maxStyles = 1 << 17

// builtin are the formats that have a number only, as an English Excel shows them.
var builtin = map[int]string{
	0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00",
	5: `"$"#,##0_);\("$"#,##0\)`, 6: `"$"#,##0_);[Red]\("$"#,##0\)`, 7: `"$"#,##0.00_);\("$"#,##0.00\)`, 8: `"$"#,##0.00_);[Red]\("$"#,##0.00\)`,
	9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
	14: "m/d/yy", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "m/d/yy h:mm",
	27: "yyyy/m/d", 28: "m/d", 29: "m/d", 30: "m/d/yy", 31: "yyyy/m/d", 32: "h:mm", 33: "h:mm:ss", 34: "yyyy/m", 35: "m/d", 36: "yyyy/m/d",
	37: `#,##0_);\(#,##0\)`, 38: `#,##0_);[Red]\(#,##0\)`, 39: `#,##0.00_);\(#,##0.00\)`, 40: `#,##0.00_);[Red]\(#,##0.00\)`,
	41: `_(* #,##0_);_(* \(#,##0\);_(* "-"_);_(@_)`, 42: `_("$"* #,##0_);_("$"* \(#,##0\);_("$"* "-"_);_(@_)`,
	43: `_(* #,##0.00_);_(* \(#,##0.00\);_(* "-"??_);_(@_)`, 44: `_("$"* #,##0.00_);_("$"* \(#,##0.00\);_("$"* "-"??_);_(@_)`,
	45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
	50: "yyyy/m/d", 51: "m/d", 52: "yyyy/m", 53: "m/d", 54: "m/d", 55: "yyyy/m", 56: "m/d", 57: "yyyy/m/d", 58: "m/d",
}

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
	compiled := map[int]*format{}
	inCells := false
	for {
		kind, err := t.next()
		if err != nil {
			return ended(err)
		}
		switch {
		case kind == endElement && t.depth() == 1:
			inCells = false
		case kind != startElement:
		case t.is("cellXfs"):
			inCells = t.depth() == 2
		case t.is("numFmt") && len(codes) < maxStyles:
			id, err := strconv.Atoi(string(t.attr("numFmtId")))
			if err != nil {
				continue
			}
			code, err := t.decoded("formatCode")
			if err != nil {
				return err
			}
			if t.depth() == 3 { // those of differential styles are deeper
				codes[id] = string(appendEscaped(nil, []byte(code)))
			}
		case inCells && t.is("xf") && t.depth() == 3:
			if len(w.styles) == maxStyles {
				return tooLarge("cell styles", maxStyles)
			}
			id, err := strconv.Atoi(string(t.attr("numFmtId")))
			if err != nil {
				id = 0
			}
			f, ok := compiled[id]
			if !ok {
				code, own := codes[id]
				if !own {
					code = builtin[id]
				}
				f = compile(code)
				compiled[id] = f
			}
			w.styles = append(w.styles, f)
		}
	}
}

// style returns the format of a cell's style, nil for one that shows numbers as they are.
func (w *Workbook) style(index []byte) *format {
	if len(index) == 0 {
		index = []byte("0")
	}
	i, ok := small(index)
	if !ok || i >= len(w.styles) || w.styles[i].general {
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
