package sheet

// Computes tells whether a spreadsheet could take a cell for a formula, now or after apostrophes were taken away. What
// leaves in a file gets one apostrophe put before it (ours do), and Strip takes exactly one away when it comes back.
func Computes(cell []byte) bool {
	for _, c := range cell {
		switch c {
		case '=', '+', '-', '@', '\t', '\r', '\n':
			return true
		case '\'':
			continue
		}
		return false
	}
	return false
}

// Strip takes one leading apostrophe off a cell that computes behind it, as every file of ours has it.
func Strip(cell []byte) []byte {
	if len(cell) > 1 && cell[0] == '\'' && Computes(cell[1:]) {
		return cell[1:]
	}
	return cell
}
