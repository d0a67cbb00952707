// Row routines of float rows. load16 puts the next 16 elements of the query in V0 to V3 and of the row in V4 to V7,
// load4 the next 4 in V0 and V4, load1 the next one in F1 and F2.

#define CLEAR \
	VEOR V16.B16, V16.B16, V16.B16 \
	VEOR V17.B16, V17.B16, V17.B16 \
	VEOR V18.B16, V18.B16, V18.B16 \
	VEOR V19.B16, V19.B16, V19.B16

#define SUM \
	FADD4(17, 16, 16) \
	FADD4(19, 18, 18) \
	FADD4(18, 16, 16) \
	FADDP4(16, 16, 16) \
	FADDP4(16, 16, 0)

#define L2_ROW(load16, load4, load1) \
	CLEAR \
	SUBS $16, R2, R3 \
	BLT  some \
wide: \
	load16 \
	FSUB4(4, 0, 0) \
	FSUB4(5, 1, 1) \
	FSUB4(6, 2, 2) \
	FSUB4(7, 3, 3) \
	VFMLA V0.S4, V0.S4, V16.S4 \
	VFMLA V1.S4, V1.S4, V17.S4 \
	VFMLA V2.S4, V2.S4, V18.S4 \
	VFMLA V3.S4, V3.S4, V19.S4 \
	SUBS  $16, R3 \
	BGE   wide \
some: \
	ADDS $12, R3 \
	BLT  sum \
narrow: \
	load4 \
	FSUB4(4, 0, 0) \
	VFMLA V0.S4, V0.S4, V16.S4 \
	SUBS  $4, R3 \
	BGE   narrow \
sum: \
	SUM \
	ADDS $4, R3 \
	BEQ  done \
one: \
	load1 \
	FSUBS  F2, F1, F1 \
	FMADDS F1, F0, F1, F0 \
	SUBS   $1, R3 \
	BNE    one \
done: \
	RET

#define DOT_ROW(load16, load4, load1) \
	CLEAR \
	SUBS $16, R2, R3 \
	BLT  some \
wide: \
	load16 \
	VFMLA V0.S4, V4.S4, V16.S4 \
	VFMLA V1.S4, V5.S4, V17.S4 \
	VFMLA V2.S4, V6.S4, V18.S4 \
	VFMLA V3.S4, V7.S4, V19.S4 \
	SUBS  $16, R3 \
	BGE   wide \
some: \
	ADDS $12, R3 \
	BLT  sum \
narrow: \
	load4 \
	VFMLA V0.S4, V4.S4, V16.S4 \
	SUBS  $4, R3 \
	BGE   narrow \
sum: \
	SUM \
	ADDS $4, R3 \
	BEQ  done \
one: \
	load1 \
	FMADDS F2, F0, F1, F0 \
	SUBS   $1, R3 \
	BNE    one \
done: \
	RET
