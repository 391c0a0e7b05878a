package finding

import "fmt"

// FileRefusal says that a file is not taken at all, and why. It carries nothing of the file's content.
type FileRefusal struct {
	Code  Code
	Line  int64  // physical line, 0 if it is no matter of a line
	Limit string // name of the limit that was passed, if one was
	Value int64  // and its value
}

func (r *FileRefusal) Error() string {
	text := string(r.Code)
	if e, ok := r.Code.Entry(); ok {
		text = e.Text
	}
	if r.Limit != "" {
		text = fmt.Sprintf("%s: the limit %s is %d", text, r.Limit, r.Value)
	}
	if r.Line > 0 {
		text = fmt.Sprintf("line %d: %s", r.Line, text)
	}
	return text
}

// Hint returns what the sender can do.
func (r *FileRefusal) Hint() string {
	e, _ := r.Code.Entry()
	return e.Hint
}
