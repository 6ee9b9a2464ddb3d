package proof

import "time"

// Record is something verified in the form in which it outlives a process. Who stores it needs to know no more of it.
type Record struct {
	// Content is empty where the record is to be removed.
	Content []byte
	// At is when it was verified, or when it turned out to be no longer so. Of two records the later one counts.
	At time.Time
	// Until is when it has ceased to count in any case and may be forgotten.
	Until time.Time
}
