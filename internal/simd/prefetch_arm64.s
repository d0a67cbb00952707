//go:build !purego

#include "textflag.h"

// func Prefetch(p unsafe.Pointer, n int)
TEXT ·Prefetch(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1
	ADD  R0, R1
	AND  $~63, R0
	B    test

line:
	PRFM (R0), PLDL1KEEP
	ADD  $64, R0

test:
	CMP R1, R0
	BLO line
	RET
