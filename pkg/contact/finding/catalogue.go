package finding

// Cells.
const (
	InvalidUTF8        Code = "invalid-utf8"
	NULByte            Code = "nul-byte"
	ControlCharacter   Code = "control-character"
	ControlKept        Code = "control-character-kept"
	TooLong            Code = "too-long"
	CellTooLong        Code = "cell-too-long"
	EmailInvalid       Code = "email-invalid"
	EmailTooLong       Code = "email-too-long"
	EmailMixedScript   Code = "email-mixed-script"
	EmailNoDot         Code = "email-no-dot"
	PhoneInvalid       Code = "phone-invalid"
	PhoneNoCountry     Code = "phone-no-country"
	PhoneExtension     Code = "phone-extension"
	DateInvalid        Code = "date-invalid"
	DateImpossible     Code = "date-impossible"
	DateTwoDigitYear   Code = "date-two-digit-year"
	DateOrderUnknown   Code = "date-order-unknown"
	DateWithTime       Code = "date-with-time"
	TimeInvalid        Code = "time-invalid"
	ChangedInFuture    Code = "changed-in-future"
	BirthDateFuture    Code = "birth-date-future"
	BirthDateTooOld    Code = "birth-date-too-old"
	ZipInvalid         Code = "zip-invalid"
	SSNInvalid         Code = "ssn-invalid"
	VATInvalid         Code = "vat-invalid"
	VATCountryUnknown  Code = "vat-country-unknown"
	CountryUnknown     Code = "country-unknown"
	ContactIDInvalid   Code = "contact-id-invalid"
	AuthorisationWord  Code = "authorisation-invalid"
	ConsentKept        Code = "consent-kept"
	InvisibleCharacter Code = "invisible-character-removed"

	NumberInvalid    Code = "number-invalid"
	NumberAmbiguous  Code = "number-ambiguous"
	NumberImprecise  Code = "number-imprecise"
	BooleanInvalid   Code = "boolean-invalid"
	CodeUnknown      Code = "code-unknown"
	CodeAmbiguous    Code = "code-ambiguous"
	CodeRetired      Code = "code-retired"
	ValueMissing     Code = "value-missing"
	InvisibleKept    Code = "invisible-character-kept"
	SpreadsheetError Code = "spreadsheet-error"

	FormulaWithoutValue Code = "formula-without-value"

	MaskedLost   Code = "masked-lost"
	CellRestored Code = "cell-restored"
)

// What spreadsheets did to a cell.
const (
	ScientificRepaired Code = "scientific-notation-repaired"
	ScientificRounded  Code = "scientific-notation-rounded"
	DigitsLost         Code = "digits-lost"
	PointZeroRemoved   Code = "point-zero-removed"
	ZerosRestored      Code = "leading-zeros-restored"
	QuotesRemoved      Code = "quotes-removed"
	QuoteStraightened  Code = "quote-straightened"
	DateFromSerial     Code = "date-from-serial"
	DateCentury        Code = "date-century-added"
	ValueWasDate       Code = "value-was-date"
	LooksLikeDate      Code = "looks-like-date"
)

// Rows.
const (
	NoKey            Code = "no-key"
	QuoteOpen        Code = "quote-open"
	QuoteStray       Code = "quote-stray"
	RowShort         Code = "row-short"
	RowLong          Code = "row-long"
	HeadingRepeated  Code = "heading-repeated"
	NotInEncoding    Code = "not-in-encoding"
	CharacterLost    Code = "character-lost"
	DuplicateContact Code = "duplicate-contact"
	SeveralContacts  Code = "several-contacts"
)

// Rows that matching and merging decided on: the reasons of their outcomes.
const (
	RepeatsRow        Code = "repeats-row"
	KnownContact      Code = "known-contact"
	NoContact         Code = "no-contact"
	UnknownToProvider Code = "unknown-to-provider"
	Erased            Code = "erased"
	NewerHere         Code = "newer-here"
	KeptByRule        Code = "kept-by-rule"
	PlanChanged       Code = "plan-changed"
)

// Contacts that an undo came to: the reasons of their outcomes.
const (
	PutBack       Code = "put-back"
	Removed       Code = "removed"
	Restored      Code = "restored"
	AlreadyUndone Code = "already-undone"
	Touched       Code = "touched"
	ChangedSince  Code = "changed-since"
	KeyTaken      Code = "key-taken"
)

// Files.
const (
	FileEmpty          Code = "file-empty"
	NoHeading          Code = "no-heading"
	HeadingBroken      Code = "heading-broken"
	HeadingLookAlike   Code = "heading-look-alike"
	NotATable          Code = "not-a-table"
	FileIsZIP          Code = "file-is-zip"
	FileIsOldExcel     Code = "file-is-old-excel"
	FileIsPDF          Code = "file-is-pdf"
	FileIsImage        Code = "file-is-image"
	FileIsProgram      Code = "file-is-program"
	FileIsMarkup       Code = "file-is-markup"
	EncodingUTF32      Code = "encoding-utf32"
	EncodingUnknown    Code = "encoding-unknown"
	EncodingNotRead    Code = "encoding-not-read"
	EncodingAssumed    Code = "encoding-assumed"
	DialectImpossible  Code = "dialect-impossible"
	TitleLines         Code = "title-lines"
	SheetUnknown       Code = "sheet-unknown"
	SheetAmbiguous     Code = "sheet-ambiguous"
	NeedsRoom          Code = "needs-room"
	DelimiterAmbiguous Code = "delimiter-ambiguous"
	FileTooLarge       Code = "file-too-large"
	RecordTooLong      Code = "record-too-long"
	TooManyColumns     Code = "too-many-columns"
	TooManyRecords     Code = "too-many-records"
	TooManyBroken      Code = "too-many-broken"

	ArchiveDamaged    Code = "archive-damaged"
	ArchiveProtected  Code = "archive-protected"
	ArchiveUnsafe     Code = "archive-unsafe"
	ArchiveMethod     Code = "archive-method"
	ArchiveNested     Code = "archive-nested"
	ArchiveNotOneFile Code = "archive-not-one-file"
	ArchiveTooLarge   Code = "archive-too-large"

	WorkbookDamaged   Code = "workbook-damaged"
	WorkbookUnsafe    Code = "workbook-unsafe"
	WorkbookProtected Code = "workbook-protected"
	WorkbookBinary    Code = "workbook-binary"
	WorkbookTooLarge  Code = "workbook-too-large"
	FileIsODS         Code = "file-is-ods"
	FileIsDocument    Code = "file-is-document"
)

var catalogue = [...]Entry{
	{InvalidUTF8, Error, "the cell is not valid UTF-8", "save the file as UTF-8 and send it again"},
	{NULByte, Error, "the cell holds a NUL byte", "remove the byte; the file may be damaged or in another encoding"},
	{ControlCharacter, Error, "the cell holds a control character", "remove it; it was probably pasted in"},
	{ControlKept, Warning, "the text holds control characters, which are kept", "remove them if they were pasted in"},
	{InvisibleCharacter, Warning, "invisible characters were removed", "clean the value at its source"},
	{TooLong, Error, "the value is longer than its field", "shorten it to the length of the field"},
	{CellTooLong, Error, "the cell is larger than 64 KiB", "shorten it; look for a quote that was not closed"},

	{EmailInvalid, Error, "not an email address", "write one bare address, such as ann@example.com"},
	{EmailTooLong, Error, "the email address is longer than 254 characters, or 64 before the @", "check the address"},
	{EmailMixedScript, Warning, "the address's domain mixes scripts", "look for letters of another alphabet that look alike"},
	{EmailNoDot, Warning, "the address ends in a country's top level alone", "check whether the domain is complete"},
	{PhoneInvalid, Error, "not a valid phone number", "write it with its country code, such as +1 202 224 3121"},
	{PhoneNoCountry, Error, "a phone number without country code, and no default country is set", "write it with + and the country code, or set the account's country"},
	{PhoneExtension, Error, "a phone number with an extension", "give the number alone; keep the extension in a field of its own"},
	{DateInvalid, Error, "not a date", "write it as YYYY-MM-DD"},
	{DateImpossible, Error, "no such day in the calendar", "check day and month"},
	{DateTwoDigitYear, Error, "a year of two digits", "write the year with four digits, or set the century for the column"},
	{DateOrderUnknown, Error, "day and month cannot be told apart", "write it as YYYY-MM-DD, or set the column's date order"},
	{DateWithTime, Error, "a date with a time of day or time zone", "give the date alone"},
	{TimeInvalid, Error, "not a time of day", "write day, time and zone as in 2026-03-01T14:05:00Z"},
	{ChangedInFuture, Error, "a change in the future", "check the year, and write the time with its zone"},
	{BirthDateFuture, Error, "a date of birth in the future", "check the year"},
	{BirthDateTooOld, Error, "a date of birth more than 130 years ago", "check the year"},
	{ZipInvalid, Error, "not a zip code of the country", "check the code and the country; spreadsheets drop leading zeros"},
	{SSNInvalid, Error, "not a social security number that can have been issued", "write nine digits, such as AAA-GG-SSSS"},
	{VATInvalid, Error, "not a valid VAT number", "write it with its country prefix, such as DE123456789"},
	{VATCountryUnknown, Error, "a VAT number without a known country prefix", "begin it with the two letters of its country"},
	{CountryUnknown, Error, "not a country", "write the ISO code of two letters, or the name"},
	{ContactIDInvalid, Error, "not a contact id of this system", "use the id as it was exported"},
	{AuthorisationWord, Error, "not an authorisation", "write True, False or Empty"},
	{ConsentKept, Warning, "a withdrawn authorisation is not turned on again by a file", "let the person give it anew"},

	{NumberInvalid, Error, "not a number", "write digits with a point before the decimals, such as 1234.5"},
	{NumberAmbiguous, Error, "the sign in the number may stand before decimals or between thousands", "write it without thousands and with a point before the decimals"},
	{NumberImprecise, Warning, "the workbook holds no more than 15 digits of the number exactly", "check the last digits"},
	{BooleanInvalid, Error, "neither true nor false", "write true or false"},
	{CodeUnknown, Error, "not a code of the field's code book", "use a code or a label of the book, or say what the value stands for"},
	{CodeAmbiguous, Error, "more than one code of the field's code book goes by this name", "use the code"},
	{CodeRetired, Error, "a code that is no longer given", "use one that is in force"},
	{ValueMissing, Error, "a required field has no value", "fill the cell"},
	{InvisibleKept, Warning, "the text holds invisible characters; they were kept", "clean the value at its source"},
	{SpreadsheetError, Error, "the cell holds an error of the spreadsheet, not a value", "mend the formula, or write the value in its place"},
	{FormulaWithoutValue, Error, "the cell holds a formula whose value the workbook does not keep", "open the workbook in its spreadsheet program and save it again"},
	{MaskedLost, Error, "the cell holds a masked value that cannot be found again", "write the value itself"},
	{CellRestored, Warning, "a spreadsheet rewrote the cell of a corrected report; it was taken as it stood in the first file", "where another value is meant, take the column job away and hand the file in as a new one"},
	{ScientificRepaired, Warning, "a spreadsheet wrote the digits in scientific notation; no digit was lost and they were put back", "format the column as text before saving"},
	{ScientificRounded, Error, "a spreadsheet wrote the digits in scientific notation and dropped some", "format the column as text, fill in the digits and save again"},
	{DigitsLost, Error, "a number of more than 15 digits, of which the spreadsheet kept only the first 15", "keep the column as text in the spreadsheet, fill in the digits and save again"},
	{PointZeroRemoved, Warning, "the digits ended in .0, which was removed", "format the column as text before saving"},
	{ZerosRestored, Warning, "leading zeros that a spreadsheet dropped were put back", "format the column as text before saving"},
	{QuotesRemoved, Warning, "quotes around the value, or an apostrophe before it, were removed", "send the bare value"},
	{QuoteStraightened, Warning, "a curly quote was made a straight one", "switch smart quotes off where the value is written"},
	{DateFromSerial, Warning, "a spreadsheet's number of a day was read as its date", "format the column as a date before saving"},
	{DateCentury, Warning, "a year of two digits was completed", "write the year with four digits"},
	{ValueWasDate, Error, "a spreadsheet took the value for a date", "format the column as text, fill in the value and save again"},
	{LooksLikeDate, Warning, "the value looks like one that a spreadsheet took for a date", "check it against its source"},

	{NoKey, Error, "the row has nothing to recognise a contact by", "fill at least one key, such as email or phone"},
	{QuoteOpen, Error, "a quote was opened on this line and not closed", "close the quote, or double it inside the cell"},
	{QuoteStray, Error, "a quote in the middle of a cell", "put the whole cell in quotes and double the quotes inside"},
	{RowShort, Warning, "the row has fewer cells than the heading; the missing ones count as empty", "fill the row up"},
	{RowLong, Error, "the row has more cells than the heading", "put cells that hold the delimiter in quotes"},
	{NotInEncoding, Error, "the cell holds bytes that the file's encoding does not have", "save the file as UTF-8, or name its encoding"},
	{CharacterLost, Warning, "the row holds U+FFFD, which stands for a character that was lost before the file was written", "export it again with the right encoding"},
	{HeadingRepeated, Error, "the heading again, in the middle of the file", "remove the line"},
	{RepeatsRow, Warning, "an earlier row of the file has one of its keys", "keep one of the rows"},
	{KnownContact, Warning, "a contact has one of its keys already", "use mode update or upsert to change it"},
	{NoContact, Error, "no contact has one of its keys", "use mode upsert to add it, or correct the keys"},
	{UnknownToProvider, Error, "the provider does not know the contact, and such contacts are kept out", "correct phone or email"},
	{Erased, Error, "the person was erased", "do not send the row again"},
	{NewerHere, Warning, "the contact has a newer value than the file", "take it over at its source; the report return to sender lists all such values"},
	{KeptByRule, Warning, "a rule of the account or the job keeps the contact's value", "say --rule FIELD=always to replace it"},
	{PlanChanged, Error, "something else would have become of the row than the plan said that was approved, and so nothing was done", "hand the row in again, and look at its new plan"},
	{DuplicateContact, Error, "a unique value belongs to another contact", "correct the value, or merge the contacts"},
	{SeveralContacts, Error, "the keys of the row belong to several contacts", "correct the keys, or merge the contacts"},

	{PutBack, Warning, "what the job had changed was put back", "undo the undo to have it again"},
	{Removed, Warning, "the contact that the job had made was removed", "undo the undo to have it again"},
	{Restored, Warning, "the contact that the undo had removed was made again", "undo this too to remove it again"},
	{AlreadyUndone, Warning, "nothing of what the job did is left at the contact", "nothing is to be done"},
	{Touched, Error, "the contact that the job had made was changed since, and so it stays", "undo what changed it and then the job again, or change the contact by hand"},
	{ChangedSince, Error, "something of what the job did was changed since, and so it stays", "undo what changed it and then the job again, or change the contact by hand"},
	{KeyTaken, Error, "a unique value that would come back belongs to another contact by now", "change that contact, then undo the job again"},

	{FileEmpty, Refusal, "the file is empty", "send a file with a heading and rows"},
	{NoHeading, Refusal, "the file has no heading", "begin the file with a line of column names"},
	{HeadingLookAlike, Warning, "a column name is written with letters that only look like others", "check that the column is mapped as meant, or write its name in one script"},
	{HeadingBroken, Refusal, "the line of column names cannot be read", "correct the quotes of the first line"},
	{NotATable, Refusal, "the file is not a text table", "send CSV with a line of column names"},
	{FileIsZIP, Refusal, "the file is a ZIP archive", "unpack it and send the CSV"},
	{FileIsOldExcel, Refusal, "the file is a workbook of an old Excel, or protected by a password", "save the sheet as CSV UTF-8"},
	{FileIsPDF, Refusal, "the file is a PDF", "send the table as CSV"},
	{FileIsImage, Refusal, "the file is a picture", "send the table as CSV"},
	{FileIsProgram, Refusal, "the file is a program", "send the table as CSV"},
	{FileIsMarkup, Refusal, "the file is HTML, XML or RTF", "export it as CSV; a web page may have been saved instead of the download"},
	{EncodingUTF32, Refusal, "the file is encoded in UTF-32 without a byte order mark", "save it as UTF-8"},
	{EncodingUnknown, Refusal, "the line of column names holds bytes that the file's encoding does not have", "save the file as UTF-8, or name its encoding"},
	{EncodingNotRead, Refusal, "no encoding of that name can be read", "name it as the web does, such as utf-8, windows-1252 or shift_jis"},
	{EncodingAssumed, Warning, "the file is not in UTF-8; it was read in the account's legacy charset", "look at the samples; if letters are wrong, name the encoding"},
	{DialectImpossible, Refusal, "no table can be written with this delimiter, quote and escape", "give three different characters of ASCII that are no letters, digits or line ends"},
	{TitleLines, Warning, "lines above the heading were passed over", "if the heading is another line, name it"},
	{SheetUnknown, Refusal, "the workbook has no sheet of that name", "name one of its sheets"},
	{SheetAmbiguous, Refusal, "more than one sheet of the workbook has rows", "name the sheet"},
	{NeedsRoom, Refusal, "a workbook or archive cannot be read as a stream here", "send the table as CSV"},
	{DelimiterAmbiguous, Refusal, "the delimiter cannot be told from the heading", "name the delimiter with the upload"},
	{FileTooLarge, Refusal, "the file is larger than the limit", "split the file"},
	{RecordTooLong, Refusal, "a record is longer than the limit", "look for a quote that was not closed"},
	{TooManyColumns, Refusal, "a record has more columns than the limit", "leave out columns that are not needed"},
	{TooManyRecords, Refusal, "the file has more records than the limit", "split the file"},
	{TooManyBroken, Refusal, "more than one record in a hundred is broken", "export the file again; its quotes or encoding are damaged"},

	{ArchiveDamaged, Refusal, "the compressed file is damaged or cut short", "send it again; if that does not help, compress it anew"},
	{ArchiveProtected, Refusal, "the archive is protected by a password", "send it without the password"},
	{ArchiveUnsafe, Refusal, "the archive has overlapping or repeated entries, or names that lead out of it", "compress the file anew"},
	{ArchiveMethod, Refusal, "the archive is compressed in a way that is not read", "compress it as an ordinary .zip or .gz"},
	{ArchiveNested, Refusal, "an archive inside an archive", "compress the file once only"},
	{ArchiveNotOneFile, Refusal, "the archive does not hold exactly one file", "send each file on its own"},
	{ArchiveTooLarge, Refusal, "the compressed file unpacks to more than the limit", "split the file"},

	{WorkbookDamaged, Refusal, "the workbook is damaged", "open it in the spreadsheet program and save it again as .xlsx"},
	{WorkbookUnsafe, Refusal, "the workbook declares document types or entities, which no spreadsheet program writes", "open it in the spreadsheet program and save it again as .xlsx"},
	{WorkbookProtected, Refusal, "the workbook is protected by a password", "save it without the password"},
	{WorkbookBinary, Refusal, "the workbook is in Excel's binary format (.xlsb)", "save it as .xlsx or as CSV UTF-8"},
	{WorkbookTooLarge, Refusal, "a part of the workbook is larger than the limit", "leave out what is not needed, or save the sheet as CSV UTF-8"},
	{FileIsODS, Refusal, "the file is an OpenDocument file", "save the sheet as .xlsx or as CSV UTF-8"},
	{FileIsDocument, Refusal, "the file is an office document other than a workbook", "send the table as .xlsx or CSV"},
}
