//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// A product of two bytes fits 16 bits, and so does the square of a difference of two, unsigned. Pairs of them are added
// to sums of 32 bits. The macros take 16 bytes of the query in V0 and of the row in V1.

#define SIGNED_PRODUCTS \
	SMULL8(1, 0, 2) \
	SMULL16(1, 0, 3) \
	SADALP4(2, 16) \
	SADALP4(3, 17)

#define UNSIGNED_PRODUCTS \
	UMULL8(1, 0, 2) \
	UMULL16(1, 0, 3) \
	UADALP4(2, 16) \
	UADALP4(3, 17)

#define SQUARES \
	UMULL8(0, 0, 2) \
	UMULL16(0, 0, 3) \
	UADALP4(2, 16) \
	UADALP4(3, 17)

#define SIGNED_SQUARES \
	SABD16(1, 0, 0) \
	SQUARES

#define UNSIGNED_SQUARES \
	UABD16(1, 0, 0) \
	SQUARES

// The same for one byte of each in R5 and R6.

#define ONE_PRODUCT \
	MADDW R5, R3, R6, R3

#define ONE_SQUARE \
	SUBW  R6, R5 \
	MADDW R5, R3, R5, R3

// ROW is a row routine; load reads a byte into a register of 32 bits.
#define ROW(sixteen, load, one) \
	VEOR V16.B16, V16.B16, V16.B16 \
	VEOR V17.B16, V17.B16, V17.B16 \
	SUBS $16, R2, R4 \
	BLT  sum \
wide: \
	VLD1.P 16(R0), [V0.B16] \
	VLD1.P 16(R1), [V1.B16] \
	sixteen \
	SUBS $16, R4 \
	BGE  wide \
sum: \
	VADD V17.S4, V16.S4, V16.S4 \
	VADDV V16.S4, V16 \
	VMOV V16.S[0], R3 \
	ADDS $16, R4 \
	BEQ  done \
rest: \
	load 1(R0), R5 \
	load 1(R1), R6 \
	one \
	SUBS $1, R4 \
	BNE  rest \
done: \
	RET

TEXT l2I8Row<>(SB), NOSPLIT|NOFRAME, $0
	ROW(SIGNED_SQUARES, MOVB.P, ONE_SQUARE)

TEXT dotI8Row<>(SB), NOSPLIT|NOFRAME, $0
	ROW(SIGNED_PRODUCTS, MOVB.P, ONE_PRODUCT)

TEXT l2U8Row<>(SB), NOSPLIT|NOFRAME, $0
	ROW(UNSIGNED_SQUARES, MOVBU.P, ONE_SQUARE)

TEXT dotU8Row<>(SB), NOSPLIT|NOFRAME, $0
	ROW(UNSIGNED_PRODUCTS, MOVBU.P, ONE_PRODUCT)

// func l2I8NEON(a, b unsafe.Pointer, dim int) int32
TEXT ·l2I8NEON(SB), NOSPLIT, $0-28
	PAIR(l2I8Row<>(SB))
	MOVW R3, ret+24(FP)
	RET

// func dotI8NEON(a, b unsafe.Pointer, dim int) int32
TEXT ·dotI8NEON(SB), NOSPLIT, $0-28
	PAIR(dotI8Row<>(SB))
	MOVW R3, ret+24(FP)
	RET

// func l2U8NEON(a, b unsafe.Pointer, dim int) int32
TEXT ·l2U8NEON(SB), NOSPLIT, $0-28
	PAIR(l2U8Row<>(SB))
	MOVW R3, ret+24(FP)
	RET

// func dotU8NEON(a, b unsafe.Pointer, dim int) int32
TEXT ·dotU8NEON(SB), NOSPLIT, $0-28
	PAIR(dotU8Row<>(SB))
	MOVW R3, ret+24(FP)
	RET

// func batchL2I8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchL2I8NEON(SB), NOSPLIT, $0-80
	BATCH(l2I8Row<>(SB), 0, 0, TO_FLOAT)

// func batchIPI8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchIPI8NEON(SB), NOSPLIT, $0-80
	BATCH(dotI8Row<>(SB), 0, 0, FROM_ONE_TO_FLOAT)

// func batchL2U8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchL2U8NEON(SB), NOSPLIT, $0-80
	BATCH(l2U8Row<>(SB), 0, 0, TO_FLOAT)

// func batchIPU8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchIPU8NEON(SB), NOSPLIT, $0-80
	BATCH(dotU8Row<>(SB), 0, 0, FROM_ONE_TO_FLOAT)
