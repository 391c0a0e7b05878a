package people

// Sample is what the sample file is made of: 4,871 people, 97 repeated, 32 with a cell that no field takes.
func Sample() Options {
	return Options{Seed: 20, Rows: 5_000, Duplicates: .0194, Invalid: .0064, Messy: .3, Fictional: true}
}
