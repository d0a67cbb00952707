package eval

// TuneEf is tuneEf, for tests.
var TuneEf = tuneEf
