package payload

import "encoding/hex"

// ParseUUID reads the form 123e4567-e89b-12d3-a456-426614174000, in lower case.
func ParseUUID(s string) (uuid [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return uuid, false
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(uuid[:], []byte(digits)); err != nil {
		return uuid, false
	}
	return uuid, FormatUUID(uuid) == s
}

// FormatUUID returns the form that ParseUUID reads.
func FormatUUID(u [16]byte) string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
