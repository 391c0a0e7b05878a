// Validator turns the files of jobs into rows; see package validator.
package main

import (
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/validator"
)

func main() { run.Main("validator", validator.Process) }
