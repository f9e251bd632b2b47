package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/state"
)

// metrics are what /metrics shows of this member.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
}

func newMetrics(db *state.DB, connected func() int, loops func() []controller.Stat) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "roadstead_http_requests_total", Help: "HTTP requests by status."}, []string{"status"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "roadstead_http_request_seconds", Help: "Time to answer an HTTP request.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	m.registry.MustRegister(m.requests, m.seconds, taskCollector{db}, loopCollector{loops},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("roadstead_state_revision", "Newest durable revision on this member.",
			func() float64 { return float64(db.Snapshot().Revision) }),
		gauge("roadstead_leading", "1 if this member leads.", func() float64 {
			if db.Leading() {
				return 1
			}
			return 0
		}),
		gauge("roadstead_agents_connected", "Agents connected to this member.", func() float64 { return float64(connected()) }))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// count measures the requests that next answers, websockets not into the times.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		began := time.Now()
		next.ServeHTTP(sw, r)
		if r.Header.Get("Upgrade") == "" {
			m.seconds.Observe(time.Since(began).Seconds())
		}
		m.requests.WithLabelValues(strconv.Itoa(sw.status)).Inc()
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach hijacking and flushing.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// taskCollector counts tasks and container instances of the newest snapshot when it is asked.
type taskCollector struct{ db *state.DB }

func (c taskCollector) descs() (tasks, instances *prometheus.Desc) {
	return prometheus.NewDesc("roadstead_tasks", "Tasks by lastStatus.", []string{"cluster", "status"}, nil),
		prometheus.NewDesc("roadstead_container_instances", "Container instances by status.", []string{"cluster", "status"}, nil)
}

func (c taskCollector) Describe(ch chan<- *prometheus.Desc) {
	tasks, instances := c.descs()
	ch <- tasks
	ch <- instances
}

func (c taskCollector) Collect(ch chan<- prometheus.Metric) {
	type key struct{ cluster, status string }
	tasks, instances := map[key]int{}, map[key]int{}
	snap := c.db.Snapshot()
	for t := range snap.Tasks.All() {
		tasks[key{t.Cluster, t.Last}]++
	}
	for i := range snap.Instances.All() {
		instances[key{i.Cluster, i.Status}]++
	}
	td, id := c.descs()
	for k, n := range tasks {
		ch <- prometheus.MustNewConstMetric(td, prometheus.GaugeValue, float64(n), k.cluster, k.status)
	}
	for k, n := range instances {
		ch <- prometheus.MustNewConstMetric(id, prometheus.GaugeValue, float64(n), k.cluster, k.status)
	}
}

// loopCollector shows how the leader's loops fare.
type loopCollector struct{ stats func() []controller.Stat }

func (c loopCollector) descs() [4]*prometheus.Desc {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("roadstead_controller_"+name, help, []string{"loop"}, nil)
	}
	return [4]*prometheus.Desc{
		desc("runs_total", "Times that a controller reconciled a key on this member."),
		desc("errors_total", "Those that failed."),
		desc("seconds_total", "Time that they took, waiting for commits included."),
		desc("queued", "Keys that wait for their turn."),
	}
}

func (c loopCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs() {
		ch <- d
	}
}

func (c loopCollector) Collect(ch chan<- prometheus.Metric) {
	d := c.descs()
	for _, s := range c.stats() {
		ch <- prometheus.MustNewConstMetric(d[0], prometheus.CounterValue, float64(s.Runs), s.Loop)
		ch <- prometheus.MustNewConstMetric(d[1], prometheus.CounterValue, float64(s.Errors), s.Loop)
		ch <- prometheus.MustNewConstMetric(d[2], prometheus.CounterValue, s.Seconds, s.Loop)
		ch <- prometheus.MustNewConstMetric(d[3], prometheus.GaugeValue, float64(s.Queued), s.Loop)
	}
}
