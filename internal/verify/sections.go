package verify

// Sections of the report, in the order in which they are proven.
const (
	sectionService    = "service"
	sectionTraffic    = "traffic"
	sectionRules      = "rules"
	sectionBoards     = "boards"
	sectionTrail      = "one request"
	sectionLinks      = "links"
	sectionDependency = "dependency"
)
