package ledger

// Reading says how a file is to be read. What is empty is found out.
type Reading struct {
	Delimiter   string `json:"delimiter,omitempty"`
	Quote       string `json:"quote,omitempty"`  // "none" for none
	Escape      string `json:"escape,omitempty"` // "double", or "\"
	Encoding    string `json:"encoding,omitempty"`
	Sheet       string `json:"sheet,omitempty"`
	HeadingLine int64  `json:"heading_line,omitempty"` // from 1
}

// FileFacts is what a file turned out to be.
type FileFacts struct {
	Format      string        `json:"format,omitempty"`
	Container   string        `json:"container,omitempty"`
	Encoding    string        `json:"encoding,omitempty"`
	Evidence    string        `json:"evidence,omitempty"` // of the encoding
	Samples     []Sample      `json:"samples,omitempty"`
	Delimiter   string        `json:"delimiter,omitempty"`
	Quote       string        `json:"quote,omitempty"`
	Escape      string        `json:"escape,omitempty"`
	LineEnd     string        `json:"line_end,omitempty"`
	BOM         bool          `json:"bom,omitempty"`
	Separator   bool          `json:"separator,omitempty"` // a first line names the delimiter
	HeadingLine int64         `json:"heading_line,omitempty"`
	Sheet       string        `json:"sheet,omitempty"`
	Sheets      []Sheet       `json:"sheets,omitempty"`
	Warnings    []FileWarning `json:"warnings,omitempty"`
}

// Sample is a piece of the file, masked where its column is secret.
type Sample struct {
	Line   int64  `json:"line,omitempty"`
	Column int32  `json:"column,omitempty"` // from 1
	Text   string `json:"text"`
}

// Sheet is a sheet of a workbook.
type Sheet struct {
	Name    string `json:"name"`
	Hidden  bool   `json:"hidden,omitempty"`
	HasData bool   `json:"has_data,omitempty"`
}

// FileWarning is a remark on the file as a whole.
type FileWarning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Line    int64  `json:"line,omitempty"` // 0 for none
}

// UnknownValue is a value that a criterion's code book does not have.
type UnknownValue struct {
	Field string  `json:"field"`
	Value string  `json:"value"`
	Rows  int64   `json:"rows"`
	Lines []int64 `json:"lines,omitempty"` // the first
}
