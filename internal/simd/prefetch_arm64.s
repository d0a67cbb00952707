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

// func PrefetchRows(base unsafe.Pointer, stride uintptr, size int, ids []uint32)
TEXT ·PrefetchRows(SB), NOSPLIT, $0-48
	MOVD base+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD size+16(FP), R2
	MOVD ids_base+24(FP), R3
	MOVD ids_len+32(FP), R4
	CBZ  R4, done

row:
	MOVWU.P 4(R3), R5
	SUB     $1, R4
	MADD    R5, R0, R1, R6
	ADD     R6, R2, R7
	AND     $~63, R6

line:
	PRFM (R6), PLDL1KEEP
	ADD  $64, R6
	CMP  R7, R6
	BLO  line
	CBNZ R4, row

done:
	RET
