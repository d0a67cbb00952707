package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/hnsw"
)

// marking is what delete and undelete share.
type marking struct {
	where         indexFlags
	labelFiles    []string
	ignoreMissing bool
	asJSON        bool

	mark, unmark func(index *shale.Index, labels ...uint64) error
	done         string                   // what marked labels are
	into         func(*changeReport) *int // where their number is told
}

func (m *marking) add(c *cobra.Command) *cobra.Command {
	c.Args = indexArg
	filesFlag(c, &m.labelFiles, "labels", "read the labels from `FILE`: text, one label a line, .npy or .parquet:COLUMN")
	c.Flags().BoolVar(&m.ignoreMissing, "ignore-missing", false,
		"pass over labels that aren't there, or are "+m.done+" already")
	m.where.add(c)
	jsonFlag(c, &m.asJSON)
	required(c, "labels")
	c.RunE = m.run
	return c
}

func deleteCommand() *cobra.Command {
	m := &marking{
		mark: (*shale.Index).Delete, unmark: (*shale.Index).Undelete, done: "deleted",
		into: func(r *changeReport) *int { return &r.Deleted },
	}
	return m.add(&cobra.Command{
		Use:   "delete INDEX --labels FILE",
		Short: "Delete vectors by label",
		Long: `Delete marks labels deleted: searches no longer return them. Their vectors stay in the graph, since
searches pass through them, until a new build; undelete brings them back. Where a label isn't in
the index, or is deleted already, nothing is changed, unless --ignore-missing is given.`,
		Example: `  shale delete my.index --labels outdated.txt
  shale delete my.index --labels outdated.npy --ignore-missing`,
	})
}

func undeleteCommand() *cobra.Command {
	m := &marking{
		mark: (*shale.Index).Undelete, unmark: (*shale.Index).Delete, done: "undeleted",
		into: func(r *changeReport) *int { return &r.Restored },
	}
	return m.add(&cobra.Command{
		Use:   "undelete INDEX --labels FILE",
		Short: "Bring deleted vectors back",
		Long: `Undelete takes back what delete did: searches return the labels again. Where a label isn't in the
index, or isn't deleted, nothing is changed, unless --ignore-missing is given.`,
		Example: `  shale undelete my.index --labels back.txt`,
	})
}

func (m *marking) run(c *cobra.Command, args []string) error {
	index, err := m.where.openToChange(c, args[0])
	if err != nil {
		return err
	}
	defer index.Close()
	r := &changeReport{Index: args[0]}
	changed, err := m.change(c, index, r)
	if err != nil {
		return err
	}
	return tell(c, m.asJSON, r, "%s: %s %s, %s not there; it holds %s, %s of them deleted",
		r.Index, many(changed, "label"), m.done, count(r.Missing), many(r.Rows, "vector"), count(r.Gone))
}

// change marks the labels, saves the index and gives the number of labels that were changed.
func (m *marking) change(c *cobra.Command, index *shale.Index, r *changeReport) (int, error) {
	labels, err := readLabels(c.Context(), m.labelFiles)
	if err != nil {
		return 0, err
	}
	var marked []uint64
	r.Seconds, err = timed(func() (err error) { marked, err = m.markAll(index, labels); return err })
	if err != nil {
		return 0, err
	}
	*m.into(r), r.Missing = len(marked), len(labels)-len(marked)
	return len(marked), r.save(c, index)
}

// markAll marks labels and gives those that were marked. Where some can't be and aren't to be passed over none is: a
// live file has changed by then.
func (m *marking) markAll(index *shale.Index, labels []uint64) (marked []uint64, err error) {
	err = m.mark(index, labels...)
	var some *hnsw.LabelsError
	if err != nil && !errors.As(err, &some) {
		return nil, err
	}
	if some == nil {
		return labels, nil
	}
	marked = without(labels, some.Labels)
	if m.ignoreMissing {
		return marked, nil
	}
	err = fmt.Errorf("nothing was %s (--ignore-missing passes over such labels, %d here): %w",
		m.done, len(some.Labels), err)
	return nil, errors.Join(err, m.unmark(index, marked...))
}

// without returns labels without those that were refused, each as often as it was.
func without(labels, refused []uint64) []uint64 {
	n := make(map[uint64]int, len(refused))
	for _, l := range refused {
		n[l]++
	}
	var rest []uint64
	for _, l := range labels {
		if n[l] > 0 {
			n[l]--
			continue
		}
		rest = append(rest, l)
	}
	return rest
}
